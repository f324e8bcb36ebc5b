"""Every published version of every event is read for ever, and its id never changes."""

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.registry import EVENTS, REGISTRY, UPCASTERS

GOLDEN = Path(__file__).parents[2] / "golden"
FILES = sorted(GOLDEN.glob("*.json"))


def _load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_old_event_is_read(path: Path) -> None:
    golden = _load(path)
    event = REGISTRY.read(f"chasqui.{path.stem}", json.dumps(golden["body"]).encode())
    assert str(event.event_id("chile")) == golden["event_id_at_chile"]
    assert str(event.about()) == golden["about"]
    if event.type_name() == f"chasqui.{path.stem}":
        assert json.loads(event.model_dump_json()) == golden["body"]


def test_every_version_has_its_golden_file() -> None:
    published = {event.type_name() for event in EVENTS} | set(UPCASTERS)
    assert {f"chasqui.{path.stem}" for path in FILES} == published


def test_a_version_is_the_number_in_its_name() -> None:
    for event in EVENTS:
        assert event.model_fields["schema_version"].default == event.version
