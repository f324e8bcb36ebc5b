"""The guide for telescope nodes shows requests that are right, every step as it is, and codes with their status."""

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from contracts.base import Message
from contracts.observations import FilingRefused
from contracts.problems import Problem
from contracts.registry import REQUESTS
from contracts.skynet.requests import EntityAccepted, ReportTask
from contracts.skynet.states import OPEN_TASKS, TASK_STEPS
from services.filing.answers import status_of
from services.filing.reading import Request, read_request

GUIDE = (Path(__file__).parents[4] / "docs" / "telescope-nodes.md").read_text("utf-8")
EXAMPLES = re.findall(r"```json (\w+)\n(.*?)```", GUIDE, re.DOTALL)
CODES = re.findall(r"^\| (`.*?) \| (\d+) \|", GUIDE, re.MULTILINE)


def test_every_request_and_the_answer_have_an_example() -> None:
    assert {name for name, _ in EXAMPLES} == {"answer", "task", "task_step", "asset", "camera"}


@pytest.mark.parametrize(("name", "text"), EXAMPLES)
def test_an_example_is_as_its_model(name: str, text: str) -> None:
    if name == "answer":
        assert EntityAccepted.model_validate_json(text).accepted
        return
    model: Any = REQUESTS[f"filing.{name}"]
    named = {"named": uuid4(), "field": "task_uid"} if model is ReportTask else {}
    request: Message = _read(model, text, **named)
    assert type(request) is model


def _read(model: type[Request], text: str, **named: Any) -> Request:
    return read_request(model, text.encode(), **named)


def test_every_step_is_in_the_table() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \| `\w+` \|", GUIDE, re.MULTILINE))
    ends = dict(re.findall(r"^\| `(\w+)` \| .*? \| `(\w+)` \|", GUIDE, re.MULTILINE))
    assert ends == {step.value: after.value for step, (after, _) in TASK_STEPS.items()}
    for step, (_, sources) in TASK_STEPS.items():
        told = set(re.findall(r"`(\w+)`", rows[step])) or OPEN_TASKS
        assert told == sources, step


def test_every_code_has_the_status_of_the_guide() -> None:
    assert CODES
    for codes, status in CODES:
        for code in re.findall(r"`(\w+)`", codes):
            answer = FilingRefused(problem=Problem(code=code, reason="r", remedy="r"))
            assert status_of(answer, new=201) == int(status), code
