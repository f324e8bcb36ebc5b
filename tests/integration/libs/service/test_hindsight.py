"""What a site has said before is known also while its projector stands still."""

import re
import socket
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from nats.aio.client import Client

from contracts.base import Event
from contracts.envelope import Envelope
from contracts.observations import ObservationFinished, ObservationStarted
from contracts.subjects import events_stream
from libs.bus.delivery import Delivery
from libs.bus.ranges import read_range
from libs.bus.stored import StoredMessage
from libs.service.hindsight import Hindsight
from libs.service.service import Place
from tests.integration.libs.bus.test_bus import finished, started
from tests.support.road import Road

pytestmark = pytest.mark.integration

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def again(road: Road, event: Event, sequence: int = 1) -> Delivery:
    """A second delivery of an event."""
    site = road.telescope.site
    return Delivery(Envelope.of(event, site=site, service="test", time=NOW), events_stream(site), sequence, 2)


def nowhere(place: Place) -> str:
    """The address of a server that does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    return re.sub(r":\d+/", f":{port}/", place.opsdb_dsn())


async def said(road: Road, event: ObservationStarted) -> UUID:
    """A site says that an observation is finished, because it was started."""
    site = road.telescope.site
    answer = finished(event)
    await road.publisher(road.telescope).publish([answer], causation_id=str(event.event_id(site)))
    return answer.event_id(site)


@pytest.mark.parametrize("projecting", [False, True])
async def test_it_knows_what_was_said(
    road: Road, monkeypatch: pytest.MonkeyPatch, *, projecting: bool
) -> None:
    monkeypatch.setattr("libs.service.hindsight.STANDSTILL_S", 0.3)
    read: list[int] = []

    def counted(nc: Client, stream: str, first: int, last: int) -> AsyncGenerator[list[StoredMessage], None]:
        read.extend(range(first, last + 1))
        return read_range(nc, stream, first, last)

    monkeypatch.setattr("libs.service.unapplied.read_range", counted)
    event, other = started(), started()
    answer = await said(road, event)
    unsaid = finished(other).event_id(road.telescope.site)
    services = ["projector"] if projecting else []
    place = road.telescope
    dsn = place.opsdb_dsn()
    async with (
        road.running(place, *services),
        Hindsight.open(dsn, road.client(place), place.site) as hindsight,
    ):
        if projecting:
            await road.eventually(lambda: road.query(place, "SELECT FROM event_record"))
        assert await hindsight.answered(again(road, event), [answer, unsaid]) == {answer}
        assert await hindsight.answered(again(road, other), [answer]) == set(), (
            "it was said for another reason"
        )
        unit = event.executed_obs_unit_id
        assert await hindsight.spoke(again(road, event), unit, [ObservationFinished])
        assert not await hindsight.spoke(again(road, event), unit, [ObservationStarted])
        assert not await hindsight.spoke(again(road, event), uuid4(), [ObservationFinished])
    assert read == ([] if projecting else [1, 2]), "what ops-db lacks is read once for all questions"


async def test_it_reads_on_from_the_input_while_there_is_no_ops_db(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, event, other = road.telescope, started(), started()
    publisher = road.publisher(place)
    sequences = [await publisher.publish([one]) for one in (event, other)]
    answer = await said(road, event)
    async with Hindsight.open(nowhere(place), road.client(place), place.site) as hindsight:
        asked = [again(road, one, sequence) for one, sequence in zip((event, other), sequences, strict=True)]
        assert await hindsight.answered(asked[1], [answer]) == set(), "it was said for another reason"
        assert await hindsight.answered(asked[0], [answer]) == {answer}
        assert await hindsight.spoke(asked[0], event.executed_obs_unit_id, [ObservationFinished])
        monkeypatch.setattr("libs.service.hindsight.MOST", 1)
        assert await hindsight.answered(asked[0], [answer]) == set(), "that is too much to be read"


async def test_a_projection_that_is_too_far_behind_is_not_made_up_for(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work is done again: its handlers see that it does no harm."""
    monkeypatch.setattr("libs.service.hindsight.STANDSTILL_S", 0.3)
    monkeypatch.setattr("libs.service.hindsight.MOST", 0)
    event, place = started(), road.telescope
    answer = await said(road, event)
    async with Hindsight.open(place.opsdb_dsn(), road.client(place), place.site) as hindsight:
        assert await hindsight.answered(again(road, event), [answer]) == set()
