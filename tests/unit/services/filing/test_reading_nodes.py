"""Requests of telescope nodes, from bytes to models, or to all that is wrong with them."""

import json
from typing import Any
from uuid import uuid4

import pytest

from contracts.skynet.requests import ReportTask
from services.filing.reading import BadRequest, read_request

UID = uuid4()
STEP: dict[str, Any] = {"step": "started", "at": "2026-09-01T22:00:00Z"}
ASSIGNED: dict[str, Any] = {
    "step": "assigned",
    "at": "2026-09-01T22:00:00Z",
    "assignment": {"assigned_by": "the scheduler", "ota_id": 1, "camera_id": 1, "instrument_id": 1},
}


def codes(request: dict[str, Any]) -> list[str]:
    with pytest.raises(BadRequest) as caught:
        read_request(ReportTask, json.dumps(request).encode(), UID, field="task_uid")
    return [problem.code for problem in caught.value.problems]


def test_the_task_of_the_address_need_not_be_named_again() -> None:
    read = read_request(ReportTask, json.dumps(STEP).encode(), UID, field="task_uid")
    assert read.task_uid == UID
    assert codes({**STEP, "task_uid": str(uuid4())}) == ["invalid_request"]


def test_what_is_wrong_within_is_found() -> None:
    late = {**ASSIGNED["assignment"], "planned_start_time": "9500-01-01T00:00:00Z"}
    assert codes({**ASSIGNED, "assignment": late}) == ["time_out_of_range"]
    nul = {**ASSIGNED["assignment"], "assigned_by": "\0"}
    assert codes({**ASSIGNED, "assignment": nul}) == ["text_invalid"]
    assert codes({**STEP, "reason": "clouds"}) == ["invalid_request"]
    assert codes({**STEP, "step": "begun"}) == ["invalid_request"]
