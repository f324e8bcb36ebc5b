"""The archiver keeps the event log by a clock: both sites' streams, two instances, one of several in trouble."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from contracts.subjects import events_stream
from libs.breakers.circuit import Pauses
from libs.breakers.resources import archive
from libs.breakers.shared import Breakers, close
from libs.errors import Retriable
from libs.service.service import Place
from libs.sites.models import LogSettings, S3Location
from tests.support.chains import Chained, chained
from tests.support.road import Road

pytestmark = pytest.mark.integration


def often(road: Road) -> Place:
    """The centre, with a log that is exported every half second."""
    place, name = road.centre, f"{road.centre.site}-archive"
    archive = place.settings.locations[name]
    assert isinstance(archive, S3Location)
    archive = archive.model_copy(update={"log": LogSettings(every=timedelta(milliseconds=500))})
    settings = place.settings.model_copy(update={"locations": {**place.settings.locations, name: archive}})
    sites = {**place.deployment.sites, place.site: settings}
    return replace(place, deployment=place.deployment.model_copy(update={"sites": sites}))


@pytest.fixture
async def chains(road: Road) -> AsyncIterator[list[Chained]]:
    """The streams of both sites, and their chains in the centre's archive."""
    async with chained(road, road.telescope) as telescope, chained(road, road.centre) as centre:
        yield [telescope, centre]


async def exported(road: Road, chain: Chained) -> None:
    """Wait until the archive has everything that the stream has."""

    async def is_there() -> bool:
        head, _ = await chain.folder().newest_head()
        done = head is not None and head.last == await chain.last()
        await asyncio.sleep(0 if done else 0.3)  # each look is two requests to S3
        return done

    # An export rests for ten times as long as it took.
    await road.eventually(is_there, within_s=100.0, what=f"the export of {chain.stream}")
    found = await chain.verified()
    assert found.whole, found.problems
    assert await chain.archived() == await chain.records()


async def test_every_stream_is_exported_again_and_again(road: Road, chains: list[Chained]) -> None:
    async with road.running(often(road), "projector", "archiver"):
        for turn in range(2):
            for chain in chains:
                await chain.publish(10, f"turn-{turn}")
            for chain in chains:
                await exported(road, chain)


@pytest.mark.long
async def test_two_instances_do_no_harm(road: Road, chains: list[Chained]) -> None:
    place = often(road)
    async with (
        road.running(place, "projector"),
        road.running(place, "archiver"),
        road.running(place, "archiver"),
    ):
        for turn in range(3):
            await chains[0].publish(10, f"turn-{turn}")
            await exported(road, chains[0])


async def test_a_stream_in_trouble_keeps_no_other_one_from_it(road: Road, chains: list[Chained]) -> None:
    """The telescope's stream was begun anew behind the archive's back; the centre's goes on."""
    telescope, centre = chains
    await telescope.publish(10)
    await telescope.exporter().export()
    before = await telescope.keys()
    js = telescope.client.jetstream()
    await js.delete_stream(events_stream(road.telescope.site))
    from libs.bus.provision import provision_streams

    await provision_streams(telescope.client, site=road.telescope.site)
    await telescope.publish(30, "other")
    async with road.running(often(road), "projector", "archiver"):
        await centre.publish(10)
        await exported(road, centre)
    assert await telescope.keys() == before


async def test_an_archive_that_is_given_a_rest_is_not_asked(road: Road, chains: list[Chained]) -> None:
    name = f"{road.centre.site}-archive"
    breakers = Breakers(
        road.client(road.centre), site=road.centre.site, who="test", pauses=Pauses(threshold=1, first_s=60.0)
    )
    with pytest.raises(Retriable):
        async with breakers.using(archive(name)):
            raise Retriable("s3_unreachable", "the archive does not answer", "Start it.")
    await chains[1].publish(10)
    async with road.running(often(road), "projector", "archiver"):
        await asyncio.sleep(1.5)
        assert await chains[1].keys() == []
        await close(road.client(road.centre), road.centre.site, archive(name).key)
        await exported(road, chains[1])
