from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from contracts.holds import HoldPlaced, HoldReleased, HoldScope
from contracts.states import HoldKind
from tests.support.door import Door
from tests.support.histories import road as history
from tests.support.histories.road import Observation

pytestmark = pytest.mark.integration

UNIT = Observation(number=1, files=2, start=datetime(2026, 5, 1, tzinfo=UTC))
WHO = {"reason": "a transient", "placed_by": "an astronomer"}


def on(kind: HoldKind, target: object, **more: Any) -> dict[str, Any]:
    return {"scope": {"kind": kind, "target": str(target)}, **WHO, **more}


async def placed(door: Door, body: dict[str, Any], *, key: str | None = None, status: int = 201) -> Any:
    headers = {} if key is None else {"idempotency-key": key}
    answer = await door.http.post("/holds", json=body, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_hold_from_its_placing_to_its_release(centre: Door) -> None:
    await centre.happen(history.road(UNIT))
    held = await placed(centre, on(HoldKind.EXECUTED_OBS_UNIT, str(UNIT.id).upper()))
    assert held["target"] == str(UNIT.id)
    (event,) = await centre.road.events_of(centre.place, HoldPlaced)
    assert (str(event.hold_id), event.reason, event.placed_by) == (held["id"], *WHO.values())
    assert event.scope == HoldScope(kind=HoldKind.EXECUTED_OBS_UNIT, target=str(UNIT.id))
    assert [one["id"] for one in (await centre.json("/holds"))["items"]] == [held["id"]]

    release = {"reason": "it was looked at", "released_by": "the same"}
    for _ in range(2):
        answer = await centre.http.post(f"/holds/{held['id']}/release", json=release)
        assert (answer.status_code, answer.json()["released_by"]) == (200, "the same")
    (released,) = await centre.road.events_of(centre.place, HoldReleased)
    assert str(released.hold_id) == held["id"]
    assert (await centre.json("/holds"))["items"] == []
    assert [one["id"] for one in (await centre.json("/holds?all=true"))["items"]] == [held["id"]]
    assert (await centre.json(f"/holds/{held['id']}"))["release_reason"] == "it was looked at"


async def test_a_hold_on_anything_that_is_known(centre: Door) -> None:
    await centre.happen(history.road(UNIT))
    location = f"{centre.road.telescope.site}-buffer"
    for kind, target in (
        (HoldKind.LOCATION, location),
        (HoldKind.INSTRUMENT, "camera"),
        (HoldKind.RAW_DATA_PACKAGE, UNIT.package_id),
        (HoldKind.RAW_DATA_FILE, UNIT.file_ids[0]),
    ):
        await placed(centre, on(kind, target))
    first = await centre.json("/holds?limit=3")
    rest = await centre.json(f"/holds?limit=3&cursor={first['next']}")
    kinds = [one["kind"] for one in (*first["items"], *rest["items"])]
    assert kinds == ["raw_data_file", "raw_data_package", "instrument", "location"]
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("kind", "target", "code"),
    [
        (HoldKind.LOCATION, "nowhere", "unknown_location"),
        (HoldKind.INSTRUMENT, "nobody", "unknown_instrument"),
        (HoldKind.EXECUTED_OBS_UNIT, "last night", "id_invalid"),
        (HoldKind.RAW_DATA_PACKAGE, uuid4(), "unknown_ids"),
        (HoldKind.RAW_DATA_FILE, uuid4(), "unknown_ids"),
    ],
)
async def test_what_would_hold_nothing_is_refused(
    centre: Door, kind: HoldKind, target: object, code: str
) -> None:
    status = 404 if code == "unknown_ids" else 422
    assert (await placed(centre, on(kind, target), status=status))["code"] == code
    assert await centre.road.events_of(centre.place, HoldPlaced) == []


async def test_a_repeated_request_is_the_same_hold(centre: Door) -> None:
    first = await placed(centre, on(HoldKind.INSTRUMENT, "camera"), key="k")
    again = await placed(centre, on(HoldKind.INSTRUMENT, "camera"), key="k")
    assert first == again
    assert len(await centre.road.events_of(centre.place, HoldPlaced)) == 1
    other = await placed(centre, on(HoldKind.INSTRUMENT, "camera", reason="another"), key="k", status=409)
    assert other["code"] == "idempotency_key_reused"
    unkeyed = [await placed(centre, on(HoldKind.INSTRUMENT, "camera")) for _ in range(2)]
    assert len({first["id"], *(one["id"] for one in unkeyed)}) == 3


async def test_a_hold_that_is_not_there_cannot_be_released(centre: Door) -> None:
    body = {"reason": "r", "released_by": "b"}
    refused = await centre.http.post(f"/holds/{uuid4()}/release", json=body)
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_hold")
    nothing = await centre.http.post(f"/holds/{uuid4()}/release", json={"released_by": "b"})
    assert (nothing.status_code, nothing.json()["code"]) == (422, "invalid_request")


async def test_a_release_that_was_heard_first_leaves_no_hold(centre: Door) -> None:
    name, now = uuid4(), datetime.now(UTC)
    scope = HoldScope(kind=HoldKind.INSTRUMENT, target="camera")
    released = HoldReleased(hold_id=name, reason="done", released_by="b", released_at=now)
    placed_late = HoldPlaced(hold_id=name, scope=scope, reason="r", placed_by="a", placed_at=now)
    await centre.happen([(history.ORIGIN, released)])
    assert (await centre.http.get(f"/holds/{name}")).status_code == 404
    await centre.happen([(history.DESTINATION, placed_late)])
    assert (await centre.json("/holds"))["items"] == []
    assert (await centre.json(f"/holds/{name}"))["released_by"] == "b"
