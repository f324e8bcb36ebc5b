"""The stager at the data centre, with a real archive, log and ops-db; and the janitor that clears after it."""

import asyncio
import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.copies import CopyDeleted
from contracts.packages import PackageStaged
from contracts.staging import (
    ReleaseReason,
    Selection,
    StagingCompleted,
    StagingFailed,
    StagingReleased,
    StagingRequested,
)
from contracts.subjects import events_stream
from libs.errors import Retriable
from libs.opsdb.reader import OpsDbReader
from libs.packaging import UnpackedBag, unpack_bag
from libs.storage.s3 import S3Store
from libs.storage.s3_objects import ExistingObject
from services.stager import handlers, recalling
from services.stager.expiring import Expiry
from tests.support.archived import Package, sealed
from tests.support.road import PATIENCE_S, Road

pytestmark = pytest.mark.integration


def request(road: Road, selection: Selection, *, keep_for_s: float = 3600.0) -> StagingRequested:
    job = uuid4()
    return StagingRequested(
        job_id=job,
        selection=selection,
        requested_by="a scientist",
        requested_at=datetime.now(UTC),
        location=f"{road.centre.site}-processing",
        folder=f"staging/{job}",
        keep_for_s=keep_for_s,
    )


async def ask(road: Road, event: StagingRequested) -> Path:
    """Say that somebody asked; where the data is to be."""
    await road.publisher(road.centre, "gateway").publish([event])
    return folder_of(road, event.job_id)


def folder_of(road: Road, job: UUID) -> Path:
    return road.folder(f"{road.centre.site}-processing") / "staging" / str(job)


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file below a folder."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def expected(*packages: Package) -> dict[str, tuple[bytes, int]]:
    return {
        path: (data, package.mtimes[path]) for package in packages for path, data in package.contents.items()
    }


async def test_what_is_staged_is_what_the_instrument_wrote(road: Road) -> None:
    first = await sealed(road, {"a b/ü.fits": os.urandom(300_000), "empty": b"", "line\nbreak": b"x"})
    second = await sealed(road, {"c.fits": os.urandom(1000)})
    units = (first.observation.unit,)
    wanted = request(road, Selection(executed_obs_unit_ids=units, package_ids=(second.id,)))
    async with road.running(road.centre, "projector", "stager"):
        await first.archive()
        await second.archive()
        folder = await ask(road, wanted)
        (done,) = await road.wait_for(road.centre, StagingCompleted)
    assert tree(folder) == expected(first, second)
    assert (done.packages, done.files) == (2, 4)
    assert done.payload_bytes == 301_001
    kinds = [
        type(e) for _, e in await road.events(road.centre) if isinstance(e, PackageStaged | StagingCompleted)
    ]
    assert kinds == [PackageStaged, PackageStaged, StagingCompleted]
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name]


async def test_single_files_come_alone(road: Road) -> None:
    package = await sealed(road, {"a.fits": b"a", "b.fits": b"bb", "c.fits": b"ccc"})
    path = next(path for path in package.contents if path.endswith("b.fits"))
    chosen = package.observation.files[path].file_id
    async with road.running(road.centre, "projector", "stager"):
        await package.archive()
        folder = await ask(road, request(road, Selection(file_ids=(chosen,))))
        (done,) = await road.wait_for(road.centre, StagingCompleted)
    assert tree(folder) == {path: (b"bb", package.mtimes[path])}
    assert (done.packages, done.files, done.payload_bytes) == (1, 1, 2)


async def test_what_is_not_archived_yet_is_waited_for(road: Road) -> None:
    package = await sealed(road, {"a.fits": b"late"})
    async with road.running(road.centre, "projector", "stager"):
        folder = await ask(road, request(road, Selection(package_ids=(package.id,))))
        await asyncio.sleep(1.0)
        assert await road.events_of(road.centre, StagingFailed) == []
        await package.archive()
        await road.wait_for(road.centre, StagingCompleted)
    assert tree(folder) == expected(package)


async def test_waiting_ends_with_an_event_that_says_why(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "LAST_ATTEMPT", 3)
    package = await sealed(road, {"a.fits": b"never"})
    async with road.running(road.centre, "projector", "stager"):
        await ask(road, request(road, Selection(package_ids=(package.id,))))
        (failed,) = await road.wait_for(road.centre, StagingFailed)
    assert failed.problem.code == "not_archived"
    assert await road.letters(road.centre) == []


async def test_unknown_ids_are_refused_at_once(road: Road) -> None:
    async with road.running(road.centre, "projector", "stager"):
        await ask(road, request(road, Selection(package_ids=(uuid4(),))))
        (failed,) = await road.wait_for(road.centre, StagingFailed)
    assert failed.problem.code == "unknown_selection"


async def test_requests_for_other_locations_are_left_to_their_sites(road: Road) -> None:
    other = request(road, Selection(package_ids=(uuid4(),))).model_copy(update={"location": "elsewhere"})
    async with road.running(road.centre, "projector", "stager"):
        await ask(road, other)
        await ask(road, request(road, Selection(package_ids=(uuid4(),))))
        await road.wait_for(road.centre, StagingFailed)
    assert len(await road.events_of(road.centre, StagingFailed)) == 1


async def test_a_damaged_archive_object_is_never_staged(road: Road) -> None:
    package = await sealed(road, {"a.fits": os.urandom(50_000)})
    damaged = bytearray(package.at_telescope.read_bytes())
    damaged[20_000] ^= 1
    copy = package.at_telescope.with_name("damaged")
    copy.write_bytes(damaged)
    async with road.running(road.centre, "projector", "stager"):
        await package.archive()
        async with S3Store(road.centre.s3(f"{road.centre.site}-archive")) as store:
            await store.upload_file(
                copy,
                package.key,
                size=len(damaged),
                expected_sha256=await asyncio.to_thread(_sha256, copy),
                existing=ExistingObject.REPLACE,
            )
        folder = await ask(road, request(road, Selection(package_ids=(package.id,))))
        (failed,) = await road.wait_for(road.centre, StagingFailed)
    assert failed.problem.code == "archive_copy_damaged"
    assert package.key in failed.problem.reason
    assert not folder.exists()


async def test_a_bit_that_the_disk_turns_while_a_job_is_done_is_mended(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = await sealed(road, {"a.fits": os.urandom(50_000), "b.fits": b"b"})
    turned: list[Path] = []

    async def recall(*args: Any, **kwargs: Any) -> UnpackedBag:
        bag = await recalling.recall(*args, **kwargs)
        if not turned:
            turned.append(await asyncio.to_thread(_turn_a_bit, bag.destination))
        return bag

    monkeypatch.setattr("services.stager.staging.recall", recall)
    async with road.running(road.centre, "projector", "stager"):
        await package.archive()
        folder = await ask(road, request(road, Selection(package_ids=(package.id,))))
        await road.wait_for(road.centre, StagingCompleted)
    assert turned
    assert tree(folder) == expected(package)
    assert len(await road.events_of(road.centre, PackageStaged)) == 1


async def test_what_a_killed_stager_had_placed_and_the_disk_damaged_comes_again(road: Road) -> None:
    package = await sealed(road, {"a.fits": os.urandom(50_000), "b.fits": b"b"})
    wanted = request(road, Selection(package_ids=(package.id,)))
    folder = folder_of(road, wanted.job_id)
    await asyncio.to_thread(unpack_bag, package.at_telescope, folder)
    await asyncio.to_thread(_turn_a_bit, folder)
    async with road.running(road.centre, "projector", "stager"):
        await package.archive()
        await ask(road, wanted)
        await road.wait_for(road.centre, StagingCompleted)
    assert tree(folder) == expected(package)
    assert await road.events_of(road.centre, StagingFailed) == []


async def test_different_content_is_never_overwritten(road: Road) -> None:
    package = await sealed(road, {"a.fits": b"from the archive"})
    wanted = request(road, Selection(package_ids=(package.id,)))
    (path,) = package.contents
    mine = folder_of(road, wanted.job_id) / path
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"a result of mine")
    async with road.running(road.centre, "projector", "stager"):
        await package.archive()
        await ask(road, wanted)
        (failed,) = await road.wait_for(road.centre, StagingFailed)
    assert failed.problem.code == "destination_differs"
    assert mine.read_bytes() == b"a result of mine"


async def test_a_job_that_was_cut_off_ends_in_the_same_tree(road: Road) -> None:
    first = await sealed(road, {f"{n}.fits": os.urandom(100) for n in range(5)})
    second = await sealed(road, {"b.fits": os.urandom(100)})
    wanted = request(road, Selection(package_ids=(first.id, second.id)))
    folder = folder_of(road, wanted.job_id)
    async with road.running(road.centre, "projector"):
        await first.archive()
        async with road.running(road.centre, "stager"):
            await ask(road, wanted)
            await asyncio.sleep(0.7)
        assert await road.events_of(road.centre, StagingCompleted) == []
        await second.archive()
        async with road.running(road.centre, "stager"):
            await road.wait_for(road.centre, StagingCompleted)
    assert tree(folder) == expected(first, second)


async def test_staging_areas_are_cleaned_when_their_time_is_up(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.stager.app.LOOK_EVERY_S", 0.2)
    package = await sealed(road, {"a.fits": b"for a while"})
    async with road.running(road.centre, "projector", "stager", "janitor"):
        await package.archive()
        folder = await ask(road, request(road, Selection(package_ids=(package.id,)), keep_for_s=1.0))
        await road.wait_for(road.centre, StagingCompleted)
        assert tree(folder) == expected(package)
        (released,) = await road.wait_for(road.centre, StagingReleased)
        assert released.reason is ReleaseReason.EXPIRED
        await road.eventually(lambda: not folder.exists())
        await road.wait_for(road.centre, CopyDeleted, count=2)
    gone = [e.location for e in await road.events_of(road.centre, CopyDeleted)]
    assert f"{road.centre.site}-processing" in gone
    assert folder.parent.is_dir()


async def test_a_job_given_back_goes_and_others_stay(road: Road) -> None:
    package = await sealed(road, {"a.fits": b"shared"})
    mine, theirs = (request(road, Selection(package_ids=(package.id,))) for _ in range(2))
    async with road.running(road.centre, "projector", "stager", "janitor"):
        await package.archive()
        folders = [await ask(road, one) for one in (mine, theirs)]
        await road.wait_for(road.centre, StagingCompleted, count=2)
        await road.publisher(road.centre, "gateway").publish(
            [
                StagingReleased(
                    job_id=mine.job_id,
                    location=mine.location,
                    folder=mine.folder,
                    reason=ReleaseReason.RELEASED,
                )
            ]
        )
        await road.eventually(lambda: not folders[0].exists())
        await asyncio.sleep(0.5)
    assert tree(folders[1]) == expected(package)
    rows = await road.query(
        road.centre,
        "SELECT state::text FROM physical_copy WHERE entity_id = $1 AND location = $2",
        package.id,
        mine.location,
    )
    assert [row["state"] for row in rows] == ["staged"]


async def test_what_a_failed_job_left_behind_goes(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "LAST_ATTEMPT", 2)
    package = await sealed(road, {"a.fits": b"x"})
    wanted = request(road, Selection(package_ids=(package.id,)))
    left = folder_of(road, wanted.job_id) / "camera"
    left.mkdir(parents=True)
    async with road.running(road.centre, "projector", "stager", "janitor"):
        await ask(road, wanted)
        await road.wait_for(road.centre, StagingFailed)
        await road.eventually(lambda: not left.parent.exists())


def _turn_a_bit(folder: Path) -> Path:
    """In the largest file; it looks as before from outside."""
    path = max((one for one in folder.rglob("*") if one.is_file()), key=lambda one: one.stat().st_size)
    before = path.stat()
    with path.open("r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(bytes([first[0] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return path


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def test_what_was_given_back_does_not_expire_while_the_projection_lags(road: Road) -> None:
    place, stream = road.centre, events_stream(road.centre.site)
    job, publisher = request(road, Selection(package_ids=(uuid4(),))), road.publisher(road.centre, "stager")
    done = StagingCompleted(
        job_id=job.job_id,
        location=job.location,
        folder=job.folder,
        packages=1,
        files=1,
        payload_bytes=1,
        expires_at=datetime.now(UTC),
    )
    completed = await publisher.publish([job, done])
    async with road.running(place, "projector"), OpsDbReader.open(place.opsdb_dsn()) as opsdb:
        await opsdb.wait_applied(stream, completed)
    given_back = StagingReleased(
        job_id=job.job_id, location=job.location, folder=job.folder, reason=ReleaseReason.RELEASED
    )
    end = await publisher.publish([given_back])

    async with OpsDbReader.open(place.opsdb_dsn()) as opsdb:
        expiry = Expiry(
            opsdb=opsdb,
            publisher=publisher,
            in_step=lambda: opsdb.wait_applied(stream, end, timeout=0.1),
            locations=(job.location,),
            now=lambda: datetime.now(UTC),
        )
        with pytest.raises(Retriable, match="projection_lags"):
            await expiry.look()
        async with road.running(place, "projector"):
            await opsdb.wait_applied(stream, end, timeout=PATIENCE_S)
            await expiry.look()
        assert await publisher.publish([given_back]) == end
        info = await road.client(place).jetstream().stream_info(stream)
    assert info.state.last_seq == end
