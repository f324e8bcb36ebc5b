"""An archive copy that nothing at its site can mend: the package is sent for, and comes again, or an alarm is raised."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from contracts.bundles import BundleSealed, SealReason
from contracts.copies import CopyDeleted, CopyRef, CopyRepaired, CopyScrubbed, CopyUnrepairable, copy_id
from contracts.packages import PackageArchived, PackageCorrupted, PackageFailed, PackageVerified
from contracts.problems import Problem
from contracts.states import CopyKind
from contracts.subjects import breaker_bucket
from libs.breakers.circuit import Circuit, CircuitState
from libs.breakers.resources import disk
from libs.insight.explain import explain
from libs.insight.sight import Sight
from libs.insight.status import site_status
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from tests.integration.services.archiver.test_repairing import (
    clear,
    finding,
    in_buffer,
    is_whole,
    overwrite,
)
from tests.support.archives import make_bucket, with_second
from tests.support.observing import Observation
from tests.support.road import Road
from tests.support.scrubbed import archived
from tests.support.sealed import buffer_of, flip, verified_at_centre

pytestmark = pytest.mark.integration

SENDING = ("projector", "packager", "bundler", "mover")
RECEIVING = ("projector", "verifier", "archiver")


async def carried(road: Road, *names: str) -> list[PackageArchived]:
    """A package for each name, observed, sent, archived; the archive has lost its bytes, the centre's BUFFER is clear."""
    for name in names:
        await Observation(road).observe({f"{name}.fits": name.encode() * 3000})
    async with road.running(road.telescope, *SENDING), road.running(road.centre, *RECEIVING):
        archived = await road.wait_for(road.centre, PackageArchived, count=len(names))
        known = "SELECT FROM physical_copy WHERE kind = 'raw_data_package' AND location LIKE '%-archive'"
        for place in (road.telescope, road.centre):
            await road.eventually(partial(_count, road, place, known, len(names)), what="all on record")
    for one in archived:
        await clear(road, one)
        await overwrite(road.centre, one, b"rotten")
    files = await road.query(road.centre, "SELECT raw_data_package_id AS package, path FROM raw_data_file")
    names_of = {row["package"]: Path(row["path"]).stem for row in files}
    return sorted(archived, key=lambda one: names.index(names_of[one.package.package_id]))


async def _count(road: Road, place: Place, sql: str, count: int) -> bool:
    return len(await road.query(place, sql)) == count


def at_telescope(road: Road, one: PackageArchived) -> Path:
    return buffer_of(road, road.telescope.site) / one.buffer_path


async def lose(road: Road, one: PackageArchived, *, files: bool = False) -> None:
    """The telescope's janitor has cleared its BUFFER, or SOURCE, too, of a package, and told of it."""
    site, package = road.telescope.site, one.package.package_id
    copies = [(CopyKind.RAW_DATA_PACKAGE, package, f"{site}-buffer", one.buffer_path)]
    if files:
        sql = "SELECT id, path FROM raw_data_file WHERE raw_data_package_id = $1"
        found = await road.query(road.telescope, sql, package)
        copies += [(CopyKind.RAW_DATA_FILE, row["id"], f"{site}-source", row["path"]) for row in found]
    for kind, entity, location, path in copies:
        (road.folder(location) / path).unlink()
        ref = CopyRef(kind=kind, entity_id=entity, location=location, path=path, size=1)
        gone = CopyDeleted(location=location, batch=uuid4(), deleted_at=datetime.now(UTC), copies=(ref,))
        await road.publisher(road.telescope, "janitor").publish([gone])


async def find_all(road: Road, copies: Sequence[PackageArchived]) -> None:
    """A scrub of the centre finds them damaged."""
    await road.publisher(road.centre, "verifier").publish([finding(one) for one in copies])


async def test_it_is_sent_again_from_where_it_was_sealed_or_built_anew_there(road: Road) -> None:
    """One is still in the telescope's BUFFER; of the other only the files are there, in SOURCE."""
    copies = await carried(road, "buffered", "in source")
    await lose(road, copies[1])
    await find_all(road, copies)
    async with road.running(road.telescope, *SENDING), road.running(road.centre, *RECEIVING):
        repaired = await road.wait_for(road.centre, CopyRepaired, count=2)
        whole = (
            "SELECT FROM physical_copy WHERE location LIKE '%-archive' AND repaired_from IS NOT NULL "
            "AND scrub_problem_code IS NULL"
        )
        await road.eventually(partial(_count, road, road.centre, whole, 2), what="the repairs on record")
    assert {event.copy_ref.entity_id for event in repaired} == {one.package.package_id for one in copies}
    for one in copies:
        assert await is_whole(road.centre, one)
    asked = await road.events_of(road.centre, PackageCorrupted)
    assert {(event.package, event.origin, event.attempt) for event in asked} == {
        (one.package, road.telescope.site, 1) for one in copies
    }
    assert len(asked) == 2
    again = [
        one for one in await road.events_of(road.telescope, BundleSealed) if one.reason is SealReason.REPAIR
    ]
    assert {one.packages[0].package for one in again} == {one.package for one in copies}
    assert not await road.events_of(road.centre, CopyUnrepairable)
    assert not [*await road.letters(road.centre), *await road.letters(road.telescope)]


async def test_what_nobody_has_any_more_is_an_alarm_with_a_remedy(road: Road) -> None:
    """One is cleared everywhere, as the log tells; the other, as only the one who is asked finds out."""
    copies = await carried(road, "cleared", "lost")
    cleared, lost = copies
    await lose(road, cleared, files=True)
    at_telescope(road, lost).unlink()
    for path in (path for path in road.source.rglob("*") if path.is_file()):
        path.unlink()
    telling = "SELECT FROM physical_copy WHERE state = 'deleted' AND location LIKE '%-source'"
    async with road.running(road.centre, "projector"):
        await road.eventually(partial(_count, road, road.centre, telling, 1), what="the clearing on record")
    await find_all(road, copies)
    alarmed = "SELECT FROM physical_copy WHERE unrepairable_at IS NOT NULL AND location LIKE '%-archive'"
    async with road.running(road.telescope, *SENDING), road.running(road.centre, *RECEIVING):
        await road.wait_for(road.centre, CopyUnrepairable, count=2)
        await road.eventually(partial(_count, road, road.centre, alarmed, 2), what="the alarms on record")
    assert [event.package for event in await road.events_of(road.centre, PackageCorrupted)] == [lost.package]
    [failed] = await road.events_of(road.telescope, PackageFailed)
    assert (failed.package_id, failed.problem.code) == (lost.package.package_id, "origin_copy_lost")
    assert len(await road.letters(road.telescope)) == 1
    async with OpsDbReader.open(road.centre.opsdb_dsn()) as opsdb:
        health = (await site_status(road.centre, road.client(road.centre), opsdb)).copies
        # Both in the archive, and the one in the telescope's BUFFER that could not be built anew.
        assert (health.damaged, health.unrepairable) == (3, 3)
        sight = Sight(road.centre, road.client(road.centre), opsdb)
        for one in copies:
            copy = copy_id(CopyKind.RAW_DATA_PACKAGE, one.package.package_id, one.location)
            waiting = (await explain(sight, copy)).waiting
            assert "no good copy" in waiting.now
            assert f"chasqui scrub {one.package.package_id} --now" in (waiting.remedy or "")


async def test_a_second_archive_is_filled_from_the_first_when_the_buffer_has_rotted(road: Road) -> None:
    """Nothing travels again, though the copy that both were to be written from is no more."""
    place, event = with_second(road), verified_at_centre(road)
    async with road.running(place, "projector", "archiver"):
        await road.publisher(road.centre, "verifier").publish([event])
        [first] = await road.wait_for(road.centre, PackageArchived)
        flip(buffer_of(road, place.site) / event.path, 700)
        await make_bucket(place, f"{place.site}-second")
        _, second = await road.wait_for(road.centre, PackageArchived, count=2)
        [noted] = await road.wait_for(road.centre, CopyScrubbed)
    assert (first.location, second.location) == (f"{place.site}-archive", f"{place.site}-second")
    assert (second.buffer, second.buffer_path) == (first.buffer, first.buffer_path)
    assert await is_whole(place, first)
    assert await is_whole(place, second)
    assert noted.copy_ref.location == event.location
    assert noted.problem is not None
    assert list((buffer_of(road, place.site) / ".repairs").iterdir()) == []
    assert not await road.events_of(road.centre, PackageCorrupted)
    assert not await road.letters(road.centre)


async def test_it_is_filled_though_the_buffer_was_given_a_rest_and_is_tried_again(road: Road) -> None:
    """The one try after a pause fetches into the very BUFFER that it tries: it does not wait for itself."""
    place, event = with_second(road), verified_at_centre(road)
    bucket = await road.client(place).jetstream().key_value(breaker_bucket(place.site))
    full = Problem(code="disk_full", reason="it was full", remedy="Free space.")
    rested = Circuit(state=CircuitState.OPEN, since=datetime.now(UTC), trips=1, problem=full)
    async with road.running(place, "projector"):
        async with road.running(place, "archiver"):
            await road.publisher(road.centre, "verifier").publish([event])
            await road.wait_for(road.centre, PackageArchived)
        flip(buffer_of(road, place.site) / event.path, 700)
        await bucket.put(disk(event.location).key, rested.model_dump_json().encode())
        await make_bucket(place, f"{place.site}-second")
        async with road.running(place, "archiver"):
            _, second = await road.wait_for(road.centre, PackageArchived, count=2)
    assert await is_whole(place, second)


async def test_what_comes_again_mends_what_was_given_up(road: Road) -> None:
    """A person has put the files back, and had the dead letter of the one who was asked sent again."""
    [one] = await archived(road, {"a.fits": b"a" * 9000})
    data = await clear(road, one)
    await overwrite(road.centre, one, b"rotten")
    await find_all(road, [one])
    given_up = "SELECT FROM physical_copy WHERE unrepairable_at IS NOT NULL"
    async with road.running(road.centre, "projector", "archiver"):
        await road.eventually(partial(_count, road, road.centre, given_up, 1), what="the alarm on record")
        in_buffer(road, one).write_bytes(data)
        again = PackageVerified(
            package=one.package,
            bundle_id=uuid4(),
            transfer_id=uuid4(),
            location=one.buffer,
            path=one.buffer_path,
        )
        await road.publisher(road.centre, "verifier").publish([again])
        [repaired] = await road.wait_for(road.centre, CopyRepaired)
        await road.eventually(partial(_count, road, road.centre, given_up, 0), what="the repair on record")
    assert repaired.repaired_from == one.buffer
    assert await is_whole(road.centre, one)
    assert not await road.letters(road.centre)
