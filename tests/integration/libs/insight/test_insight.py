import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from contracts.copies import CopyRef, DeletionRefused, RefusedCopy, copy_id
from contracts.files import FilesUnfiled, UnfiledFile
from contracts.observations import ObservationStarted
from contracts.problems import Problem
from contracts.states import CopyKind
from libs.bus.buckets import put_progress
from libs.bus.provision import provision_consumers
from libs.bus.subscription import Subscription
from libs.errors import Retriable, UserError
from libs.insight import disks
from libs.insight.explain import Explanation, explain
from libs.insight.progress import progress_of, work_in_hand
from libs.insight.sight import Sight
from libs.insight.status import SiteStatus, site_status
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from tests.support.histories import catalog
from tests.support.histories import road as history
from tests.support.histories.road import Observation
from tests.support.road import Road

pytestmark = pytest.mark.integration

UNIT = Observation(number=1, files=2, start=datetime(2026, 5, 1, tzinfo=UTC))
LATE = Observation(number=2, files=1, start=datetime(2026, 5, 2, tzinfo=UTC))


async def looked_at(road: Road, place: Place) -> SiteStatus:
    async with OpsDbReader.open(place.opsdb_dsn()) as opsdb:
        return await site_status(place, road.client(place), opsdb)


async def explained(road: Road, place: Place, wanted: Any) -> Explanation:
    async with OpsDbReader.open(place.opsdb_dsn()) as opsdb:
        return await explain(Sight(place, road.client(place), opsdb), wanted)


async def happen(road: Road, steps: list[history.Step]) -> None:
    places = {history.ORIGIN: road.telescope, history.DESTINATION: road.centre}
    for site, event in steps:
        await road.publisher(places[site]).publish([event])


async def is_applied(road: Road, place: Place) -> bool:
    return all(not one.behind for one in (await looked_at(road, place)).projections)


async def _none_waits(road: Road, place: Place) -> bool:
    return (await looked_at(road, place)).without_obs_unit == 0


async def test_the_status_of_a_site(road: Road) -> None:
    place, client = road.telescope, road.client(road.telescope)
    await happen(road, [*history.road(UNIT), *history.filing(LATE)])
    unfiled = FilesUnfiled(location="l", files=(UnfiledFile(path="stray", size=1, mtime_ns=1),))
    await road.publisher(place).publish([unfiled])
    subscription = Subscription("packager", "plan", (ObservationStarted,))
    await provision_consumers(
        client, site=place.site, origins=tuple(place.deployment.sites), subscriptions=[subscription]
    )
    await put_progress(client, place.site, "mover.1", {"done": 1, "total": 2})
    await put_progress(client, place.site, "mover.2", {"done": 2, "ended": True})

    before = await looked_at(road, place)
    own = next(p for p in before.projections if p.stream.endswith(place.site))
    assert own.behind == own.stored > 0
    assert own.behind_s is not None
    assert 0 <= own.behind_s < 60
    async with road.running(place, "projector"):
        await road.eventually(lambda: is_applied(road, place), what="the projection")
        status = await looked_at(road, place)
        assert status.without_obs_unit == 2
        units = catalog.applied(catalog.entries(units=3), at=LATE.start)
        await road.publisher(place).publish([units])
        await road.eventually(lambda: _none_waits(road, place), what="the ObsUnits of what was observed")
    assert status.services == {"filing": 0, "gateway": 0, "packager": 0, "projector": 1}
    (queue,) = status.queues
    assert (queue.service, queue.handler, queue.origin) == ("packager", "plan", place.site)
    assert (queue.waiting, queue.in_hand) == (2, 0)
    assert status.observations == {"finished": 2}
    assert status.files == {"filed": 1, "packaged": 2}
    assert status.packages == {"archived": 1}
    assert status.bundles == {"completed": 1}
    assert status.unfiled_files == 1
    assert status.dead_letters == 0
    assert status.oldest_unarchived is not None
    assert status.oldest_unarchived.file_id == str(LATE.file_ids[0])
    assert status.progress == {"mover.1": {"done": 1, "total": 2}}
    assert all(disk.reachable and disk.total > disk.free > 0 for disk in status.disks)


async def test_progress_is_of_those_who_still_tell(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    place, client = road.telescope, road.client(road.telescope)
    assert await work_in_hand(client, place.site) == {}
    assert await progress_of(client, place.site, "stager.none") is None
    for number in range(30):
        await put_progress(client, place.site, f"packager.{number}", {"done": number})
    assert len(await work_in_hand(client, place.site)) == 30
    assert await progress_of(client, place.site, "packager.7") == {"done": 7}
    monkeypatch.setattr("libs.insight.progress.SILENT", timedelta(seconds=0.5))
    await asyncio.sleep(0.6)
    await put_progress(client, place.site, "packager.7", {"done": 8})
    assert await work_in_hand(client, place.site) == {"packager.7": {"done": 8}}


async def test_disks_that_cannot_be_reached_are_told(road: Road) -> None:
    folder = road.folder(f"{road.telescope.site}-buffer")
    folder.rmdir()
    found = {disk.location: disk.reachable for disk in await disks.disks_of(road.telescope)}
    assert found == {f"{road.telescope.site}-source": True, f"{road.telescope.site}-buffer": False}


async def test_a_server_that_is_away_is_no_status(road: Road) -> None:
    client = road.client(road.telescope)
    async with OpsDbReader.open(road.telescope.opsdb_dsn()) as opsdb:
        await client.close()
        with pytest.raises(Retriable) as error:
            await site_status(road.telescope, client, opsdb)
    assert error.value.problem.code == "bus_unavailable"
    road.clients.pop(road.telescope.site)


async def test_everything_on_the_road_is_explained(road: Road) -> None:
    place = road.centre
    stays = Problem(code="too_fresh", reason="it is kept for a week", remedy="Wait.")
    copy = CopyRef(
        kind=CopyKind.RAW_DATA_PACKAGE,
        entity_id=UNIT.package_id,
        location=history.BUFFER,
        path=UNIT.record.name,
        size=UNIT.record.size,
    )
    refusal = DeletionRefused(location=history.BUFFER, refusals=(RefusedCopy(copy_ref=copy, problem=stays),))
    steps = [*history.road(UNIT), (history.DESTINATION, refusal), *history.filing(LATE)]
    await happen(road, steps)
    async with road.running(place, "projector"):
        await road.eventually(lambda: is_applied(road, place), what="the projection")

    file = await explained(road, place, UNIT.file_ids[1])
    assert (file.kind, file.state, file.name) == ("raw_data_file", "packaged", UNIT.paths[1])
    assert file.waiting.now.startswith("Nothing")
    assert {one.location: one.state for one in file.copies} == {
        history.SOURCE: "deleted",
        history.ORIGIN_BUFFER: "present",
        history.BUFFER: "present",
        history.ARCHIVE: "present",
    }
    kept = next(one for one in file.copies if one.location == history.BUFFER)
    assert kept.stays_because == stays
    assert file.related == {
        "observation": (UNIT.id,),
        "package": (UNIT.package_id,),
        "bundle": (UNIT.bundle_id,),
        "transfer": (UNIT.transfer_id,),
    }
    facts = [step.event.removeprefix("chasqui.").removesuffix(".v1") for step in file.timeline]
    assert facts[:2] == ["observation.started", "observation.files_filed"]
    assert "transfer.completed" in facts
    assert facts[-1] == "package.archived"
    assert file.timeline[0].after_s is None
    assert all(step.after_s is not None and step.after_s >= 0 for step in file.timeline[1:])

    for wanted, kind, state in (
        (UNIT.id, "executed_obs_unit", "finished"),
        (UNIT.package_id, "raw_data_package", "archived"),
        (UNIT.bundle_id, "data_transfer_package", "completed"),
        (UNIT.transfer_id, "data_transfer", "completed"),
    ):
        found = await explained(road, place, wanted)
        assert (found.kind, found.state) == (kind, state)
        assert found.timeline
    held = await explained(road, place, copy_id(CopyKind.RAW_DATA_PACKAGE, UNIT.package_id, history.BUFFER))
    assert held.waiting.now == "It stays: it is kept for a week"
    assert [one.location for one in held.copies] == [history.BUFFER]
    assert held.related == {"package": (UNIT.package_id,)}
    late = await explained(road, place, LATE.id)
    assert late.waiting.now.startswith("For 1 filed files")
    with pytest.raises(UserError) as error:
        await explained(road, place, uuid4())
    assert error.value.problem.code == "unknown_id"
