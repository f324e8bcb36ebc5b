"""Reading events: the current version, older ones through upcasters, and everything that is none."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.base import Event
from contracts.registry import EVENTS, Registry, UnreadableEvent


class MirrorTurnedV3(Event):
    """A current version that had two before it."""

    entity = "mirror"
    fact = "turned"
    version = 3

    schema_version: int = 3
    mirror_id: UUID
    angle_deg: float
    reason: str

    def identity(self) -> tuple[object, ...]:
        return (self.mirror_id,)

    def about(self) -> UUID:
        return self.mirror_id


def _from_v1(body: dict[str, Any]) -> dict[str, Any]:
    return body | {"schema_version": 2, "angle_deg": body["angle_arcmin"] / 60}


def _from_v2(body: dict[str, Any]) -> dict[str, Any]:
    known = {key: value for key, value in body.items() if key != "angle_arcmin"}
    return known | {"schema_version": 3, "reason": "not told"}


REGISTRY = Registry(
    (MirrorTurnedV3,), {"chasqui.mirror.turned.v1": _from_v1, "chasqui.mirror.turned.v2": _from_v2}
)


def test_an_old_version_goes_through_every_upcaster() -> None:
    mirror = uuid4()
    body = json.dumps({"schema_version": 1, "mirror_id": str(mirror), "angle_arcmin": 90})
    event = REGISTRY.read("chasqui.mirror.turned.v1", body.encode())
    assert event == MirrorTurnedV3(mirror_id=mirror, angle_deg=1.5, reason="not told")


@pytest.mark.parametrize(
    ("type_name", "body", "code"),
    [
        ("chasqui.mirror.polished.v1", b"{}", "unknown_type"),
        ("nonsense", b"{}", "unknown_type"),
        ("chasqui.mirror.turned.v4", b"{}", "unknown_version"),
        ("chasqui.mirror.turned.v0", b"{}", "unknown_version"),
        ("chasqui.mirror.turned.v1", b"{", "not_json"),
        ("chasqui.mirror.turned.v1", b"[1]", "not_json"),
        ("chasqui.mirror.turned.v1", b"[" * 100_000, "not_json"),
        ("chasqui.mirror.turned.v1", b'{"a":' * 100_000, "not_json"),
        ("chasqui.mirror.turned.v1", b'{"schema_version": 1}', "invalid_event"),
        ("chasqui.mirror.turned.v1", b'{"angle_arcmin": "wide"}', "invalid_event"),
        ("chasqui.mirror.turned.v3", b"[" * 100_000, "not_json"),
        ("chasqui.mirror.turned.v3", b'{"reason":' * 100_000, "not_json"),
        ("chasqui.mirror.turned.v3", b"\xff", "not_json"),
        ("chasqui.mirror.turned.v3", b'{"mirror_id": 7}', "invalid_event"),
    ],
)
def test_what_is_no_event_is_named(type_name: str, body: bytes, code: str) -> None:
    with pytest.raises(UnreadableEvent) as caught:
        REGISTRY.read(type_name, body)
    assert caught.value.problem.code == code
    assert caught.value.problem.remedy


def test_no_two_events_share_a_subject() -> None:
    subjects = [event.subject("chile") for event in EVENTS]
    assert len(subjects) == len(set(subjects))
