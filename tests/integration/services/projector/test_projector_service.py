"""The projector as a service: events become rows, unreadable messages become letters, nobody is held up."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from contracts.observations import ObservationStarted
from tests.support.road import Road

pytestmark = pytest.mark.integration


async def test_events_become_rows_and_garbage_becomes_a_letter(road: Road) -> None:
    place = road.telescope
    unit = uuid4()
    js = road.client(place).jetstream()
    async with road.running(place, "projector"):
        await js.publish(f"chasqui.{place.site}.nonsense.happened.v1", b"\x00 no event")
        await road.publisher(place).publish(
            [
                ObservationStarted(
                    executed_obs_unit_id=unit,
                    instrument="camera",
                    start_time=datetime(2026, 3, 1, tzinfo=UTC),
                )
            ]
        )

        async def row_is_there() -> bool:
            return bool(await road.query(place, "SELECT 1 FROM executed_obs_unit WHERE id = $1", unit))

        await road.eventually(row_is_there, what="the row")
    (letter,) = await road.letters(place)
    assert "project" in letter["chasqui-dead-handler"]
    assert letter["chasqui-dead-origin"] == f"EVENTS_{place.site}:2"
    applied = await road.query(
        place, "SELECT sequence FROM stream_position WHERE stream = $1", f"EVENTS_{place.site}"
    )
    assert applied[0]["sequence"] >= 3, "LetterBuried may have been applied already"
