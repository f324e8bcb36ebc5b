"""chasqui replay: a look first; and everything again to every service, after it was archived and cleared."""

import json
from pathlib import Path
from typing import Any

import pytest

from commands.dead_deciding import Doing
from commands.replay import Wanted, replay
from commands.services import load
from contracts.base import Event
from contracts.copies import CopyDeleted
from contracts.packages import PackageArchived
from contracts.replays import ReplayRequested
from contracts.subjects import replay_stream
from libs.errors import UserError
from libs.service.service import Place
from libs.storage.s3 import S3Store
from tests.integration.commands.test_insight_commands import paper, written
from tests.support.observing import Observation
from tests.support.road import Road

pytestmark = pytest.mark.integration
TELESCOPE = ("scanner", "packager", "bundler", "mover", "janitor", "renderer")
CENTRE = ("verifier", "archiver", "stager", "janitor")


async def run(place: Place, service: str, doing: Doing = Doing.NOW) -> dict[str, Any]:
    data = paper(9000)
    assert await replay(place, Wanted(service, None, "1d"), doing, as_json=True, console=data) == 0
    told: dict[str, Any] = json.loads(written(data))
    return told


async def quiet(road: Road) -> bool:
    """Whether nothing waits to be handled, live or again, at either site."""
    for place, services in ((road.telescope, TELESCOPE), (road.centre, CENTRE)):
        js = road.client(place).jetstream()
        if (await js.stream_info(replay_stream(place.site))).state.messages:
            return False
        sites = tuple(place.deployment.sites)
        for service in services:
            for one in load(service).subscriptions:
                for source in one.sources(place.site, sites):
                    info = await js.consumer_info(source.stream, one.durable(place.site))
                    if info.num_pending or info.num_ack_pending:
                        return False
    return True


async def said(road: Road, place: Place) -> list[tuple[str, Event]]:
    return [(str(envelope.id), event) for envelope, event in await road.events(place)]


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def test_everything_again_to_everybody_changes_nothing(road: Road) -> None:
    """After an observation was archived and cleared, no new event, no second object, nothing resurrected."""
    telescope, centre = road.telescope, road.centre
    async with (
        road.running(telescope, "projector", *TELESCOPE),
        road.running(centre, "projector", *CENTRE),
    ):
        observation = Observation(road)
        await observation.start()
        await observation.file({"a.fits": b"A" * 5000, "b.fits": b"B" * 3000})
        await observation.finish()
        await road.wait_for(centre, PackageArchived, within_s=120)
        await road.wait_for(telescope, CopyDeleted, count=2, within_s=120)
        await road.wait_for(centre, CopyDeleted, within_s=120)
        await road.eventually(lambda: quiet(road), within_s=120, what="the end of live work")
        before = {place.site: await said(road, place) for place in (telescope, centre)}
        async with S3Store(centre.s3(f"{centre.site}-archive")) as store:
            objects = sorted([(one.key, one.size) async for one in store.list()])
        seen = await run(centre, "archiver", Doing.NOT_YET)
        assert (seen["dry_run"], seen["among_dead_letters"]) == (True, 0)
        archived = {(one["handler"], one["type"]): one["count"] for one in seen["events"]}
        assert archived["archive", "chasqui.package.verified.v1"] == 1
        assert seen["led_to_events"] >= 1
        assert await quiet(road), "a look sends nothing"
        for place, services in ((telescope, TELESCOPE), (centre, CENTRE)):
            for service in services:
                await run(place, service)
        await road.eventually(lambda: quiet(road), within_s=180, what="the end of the replay")
        after = {place.site: await said(road, place) for place in (telescope, centre)}
        async with S3Store(centre.s3(f"{centre.site}-archive")) as store:
            assert sorted([(one.key, one.size) async for one in store.list()]) == objects
    for site, events in after.items():
        known = {name for name, _ in before[site]}
        new = [event for name, event in events if name not in known]
        services = TELESCOPE if site == telescope.site else CENTRE
        assert [type(event) for event in new] == [ReplayRequested] * len(services), "handlers say nothing new"
    for folder in (f"{telescope.site}-buffer", f"{centre.site}-buffer"):
        assert files_below(road.folder(folder)) == []
    assert await road.letters(telescope) == await road.letters(centre) == []


async def test_words_that_cannot_be_followed(road: Road) -> None:
    place = road.telescope
    for wanted, code in (
        (Wanted("projector", None, "1d"), "nothing_to_replay"),
        (Wanted("nobody", None, "1d"), "unknown_service"),
        (Wanted("mover", "fly", "1d"), "unknown_handler"),
        (Wanted("mover", None, "soon"), "moment_unreadable"),
        (Wanted("mover", None, "EVENTS_mars:1"), "stream_unknown"),
        (Wanted("mover", None, f"{place.site}:1", f"{road.centre.site}:9"), "span_unclear"),
        (Wanted("mover", None, "1d", fields=("route",)), "match_unreadable"),
        (Wanted("mover", None, "1d"), "handler_not_provisioned"),
    ):
        with pytest.raises(UserError, match=code):
            await replay(place, wanted, Doing.NOT_YET, as_json=False, console=paper())
