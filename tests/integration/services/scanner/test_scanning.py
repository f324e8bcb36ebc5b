import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import watchfiles

from contracts.base import Event
from contracts.copies import CopyDeleted, CopyRef, DeletionScheduled
from contracts.files import (
    FilesMissing,
    FilesRefused,
    FilesScanned,
    FilesUnfiled,
    ProblemFile,
    ScannedFile,
)
from contracts.observations import FiledFile, FilesFiled, ObservationStarted, file_id
from contracts.problems import Problem
from contracts.states import CopyKind
from libs.bus.parts import in_parts
from libs.bus.provision import provision_consumers
from libs.insight.status import site_status
from libs.opsdb.reader import OpsDbReader
from libs.service.running import running
from libs.service.service import Service
from services.scanner import notices
from services.scanner.app import SERVICE, Watching, compose
from tests.support.road import Road

pytestmark = pytest.mark.integration

LONG_AGO = time.time() - 3600


def filed(road: Road, unit: UUID, *paths: str, **facts: Any) -> list[FilesFiled]:
    """What filing says of these files (below the instrument's folder)."""
    files = [
        FiledFile(file_id=file_id(unit, f"camera/{path}"), path=f"camera/{path}", module="main", **facts)
        for path in paths
    ]
    return in_parts(
        files,
        lambda chunk, part, parts: FilesFiled(
            executed_obs_unit_id=unit,
            instrument="camera",
            location=f"{road.telescope.site}-source",
            files=chunk,
            part=part,
            parts=parts,
        ),
    )


def cleared(road: Road, unit: UUID, path: str) -> list[Event]:
    """What is said of a file until it is deleted."""
    location = f"{road.telescope.site}-source"
    [file] = [file for event in filed(road, unit, path) for file in event.files]
    scanned = ScannedFile(file_id=file.file_id, path=file.path, module="main", size=3, mtime_ns=1)
    copy = CopyRef(
        kind=CopyKind.RAW_DATA_FILE, entity_id=file.file_id, location=location, path=file.path, size=3
    )
    batch, now = uuid4(), datetime.now(UTC)
    return [
        *filed(road, unit, path),
        FilesScanned(executed_obs_unit_id=unit, instrument="camera", location=location, files=(scanned,)),
        DeletionScheduled(location=location, batch=batch, copies=(copy,)),
        CopyDeleted(location=location, batch=batch, deleted_at=now, copies=(copy,)),
    ]


async def say(road: Road, events: Sequence[Event]) -> None:
    await road.publisher(road.telescope, "filing").publish(events)


async def begin(road: Road) -> UUID:
    unit = uuid4()
    await say(
        road,
        [ObservationStarted(executed_obs_unit_id=unit, instrument="camera", start_time=datetime.now(UTC))],
    )
    return unit


def write(road: Road, path: str, data: bytes = b"x" * 10, when: float | None = LONG_AGO) -> Path:
    """Write a file, as if it had been there since `when`."""
    full = road.source / path
    full.parent.mkdir(parents=True, exist_ok=True)
    full.write_bytes(data)
    if when is not None:
        os.utime(full, (when, when))
    return full


def with_scan(road: Road, **settings: float) -> Road:
    """The same road with other settings of the scanner, in seconds."""
    place = road.telescope
    scan = place.settings.scan.model_copy(update={k: timedelta(seconds=v) for k, v in settings.items()})
    site = place.settings.model_copy(update={"scan": scan})
    deployment = place.deployment.model_copy(update={"sites": {**place.deployment.sites, place.site: site}})
    return replace(road, telescope=replace(place, deployment=deployment))


@asynccontextmanager
async def scanning(road: Road, watching: Watching = Watching.NOTICES) -> AsyncIterator[None]:
    """The scanner alone, with or without notifications."""
    await provision_consumers(
        road.client(road.telescope),
        site=road.telescope.site,
        origins=tuple(road.telescope.deployment.sites),
        subscriptions=SERVICE.subscriptions,
    )
    service: Service = replace(SERVICE, compose=partial(compose, watching=watching))
    async with running(service, road.telescope, graceful_s=2.0):
        yield


async def scanned_paths(road: Road) -> list[str]:
    events = await road.events_of(road.telescope, FilesScanned)
    return [file.path for event in events for file in event.files]


async def test_files_that_are_there_are_announced_at_once(road: Road) -> None:
    road = with_scan(road, sweep=60)
    write(road, "night 1/a\nb.fits", b"abc")
    write(road, "empty.fits", b"")
    async with road.running(road.telescope, "projector"), scanning(road):
        await asyncio.sleep(0.5)
        unit = await begin(road)
        await say(road, filed(road, unit, "night 1/a\nb.fits", "empty.fits"))
        [event] = await road.wait_for(road.telescope, FilesScanned, within_s=50)  # before any sweep

        assert [(f.path, f.size) for f in event.files] == [
            ("camera/empty.fits", 0),
            ("camera/night 1/a\nb.fits", 3),
        ]
        assert event.files[0].mtime_ns == (road.source / "empty.fits").stat().st_mtime_ns


@pytest.mark.parametrize("watching", list(Watching))
async def test_a_file_that_comes_later_is_found(road: Road, watching: Watching) -> None:
    road = with_scan(road, sweep=60 if watching is Watching.NOTICES else 0.3, missing_after=60)
    async with road.running(road.telescope, "projector"), scanning(road, watching):
        unit = await begin(road)
        await say(road, filed(road, unit, "late.fits", "deep/er/renamed.fits"))
        await asyncio.sleep(1.5)
        write(road, "late.fits", when=None)
        hidden = write(road, ".tmp", when=LONG_AGO)
        (road.source / "deep/er").mkdir(parents=True)
        hidden.rename(road.source / "deep/er/renamed.fits")
        await road.eventually(
            lambda: _has(road, "camera/late.fits", "camera/deep/er/renamed.fits"), within_s=5
        )

        assert await road.events_of(road.telescope, FilesMissing) == []


async def test_polling_takes_over_when_the_kernel_refuses(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = watchfiles.awatch

    def refusing(*paths: Path, **options: Any) -> Any:
        if not options["force_polling"]:
            raise OSError(28, "no space left for watches")
        return real(*paths, **options)

    monkeypatch.setattr(notices, "awatch", refusing)
    road = with_scan(road, sweep=60, missing_after=60)
    async with road.running(road.telescope, "projector"), scanning(road):
        unit = await begin(road)
        await say(road, filed(road, unit, "late.fits"))
        await asyncio.sleep(2.5)
        write(road, "late.fits")
        await road.eventually(lambda: _has(road, "camera/late.fits"), within_s=10)


async def _has(road: Road, *paths: str) -> bool:
    return sorted(await scanned_paths(road)) == sorted(paths)


async def test_a_growing_file_is_awaited_until_it_is_quiet(road: Road) -> None:
    road = with_scan(road, quiet=1.0, sweep=0.2, missing_after=0.5)
    async with road.running(road.telescope, "projector"), scanning(road):
        unit = await begin(road)
        path = write(road, "growing.fits", b"", when=None)
        await say(road, filed(road, unit, "growing.fits"))
        await road.eventually(lambda: _acknowledged(road))
        for _ in range(10):
            await asyncio.sleep(0.15)
            with path.open("ab") as file:
                file.write(b"y" * 100)
            # An instrument whose clock is an hour behind must not make it look old.
            os.utime(path, (LONG_AGO, LONG_AGO + path.stat().st_size))
        last_write = time.monotonic()
        assert await road.events_of(road.telescope, FilesScanned) == []
        [event] = await road.wait_for(road.telescope, FilesScanned)

        assert event.files[0].size == 1000
        assert time.monotonic() - last_write >= 0.9
        [missing] = await road.events_of(road.telescope, FilesMissing)
        assert [file.problem.code for file in missing.files] == ["file_not_quiet"]


async def test_the_declared_size_is_awaited(road: Road) -> None:
    road = with_scan(road, missing_after=0.5, sweep=0.2)
    path = write(road, "a.fits", b"x" * 5)
    async with road.running(road.telescope, "projector"), scanning(road):
        unit = await begin(road)
        await say(road, filed(road, unit, "a.fits", size=10))
        [missing] = await road.wait_for(road.telescope, FilesMissing)
        assert [f.problem.code for f in missing.files] == ["size_mismatch"]
        path.write_bytes(b"x" * 20)
        await asyncio.sleep(0.6)
        assert await road.events_of(road.telescope, FilesScanned) == []
        path.write_bytes(b"x" * 10)
        [event] = await road.wait_for(road.telescope, FilesScanned)

        assert event.files[0].size == 10
        assert len(await road.events_of(road.telescope, FilesMissing)) == 1


async def test_a_missing_file_is_told_once_and_found_all_the_same(road: Road) -> None:
    road = with_scan(road, missing_after=0.3, sweep=0.2)
    (road.source / "link.fits").symlink_to("/etc/hostname")
    async with road.running(road.telescope, "projector"), scanning(road):
        unit = await begin(road)
        await say(road, filed(road, unit, "never.fits", "link.fits"))
        await road.eventually(lambda: _missing_codes(road, {"file_missing", "not_a_regular_file"}))
        await asyncio.sleep(1)
        events = await road.events_of(road.telescope, FilesMissing)
        assert sum(len(event.files) for event in events) == 2
        write(road, "never.fits")
        await road.eventually(lambda: _has(road, "camera/never.fits"))
        await road.eventually(lambda: _state(road, unit, "never.fits", "scanned"))


async def _missing_codes(road: Road, codes: set[str]) -> bool:
    events = await road.events_of(road.telescope, FilesMissing)
    return {file.problem.code for event in events for file in event.files} == codes


async def _state(road: Road, unit: UUID, path: str, state: str) -> bool:
    rows = await road.query(
        road.telescope, "SELECT state FROM raw_data_file WHERE id = $1", file_id(unit, f"camera/{path}")
    )
    return bool(rows) and rows[0]["state"] == state


async def test_a_modification_time_in_the_future_blocks_nothing(road: Road) -> None:
    road = with_scan(road, quiet=0.3)
    write(road, "future.fits", when=time.time() + 86_400)
    async with road.running(road.telescope, "projector"), scanning(road):
        unit = await begin(road)
        await say(road, filed(road, unit, "future.fits"))
        await road.wait_for(road.telescope, FilesScanned, within_s=5)


async def test_what_was_pending_when_it_was_killed_is_found_after_a_restart(road: Road) -> None:
    road = with_scan(road, missing_after=60)
    async with road.running(road.telescope, "projector"):
        unit = await begin(road)
        async with scanning(road):
            await say(road, filed(road, unit, "a.fits", "b.fits"))
            await road.eventually(lambda: _acknowledged(road))
        write(road, "a.fits")
        async with scanning(road, Watching.SWEEPS):
            await road.eventually(lambda: _has(road, "camera/a.fits"))
            write(road, "b.fits")
            await road.eventually(lambda: _has(road, "camera/a.fits", "camera/b.fits"))


async def _acknowledged(road: Road) -> bool:
    js = road.client(road.telescope).jetstream()
    site = road.telescope.site
    info = await js.consumer_info(f"EVENTS_{site}", f"{site}_scanner_filed")
    return info.num_pending == 0 and info.num_ack_pending == 0 and bool(info.delivered.consumer_seq)


async def test_two_instances_share_the_work_and_one_takes_over_from_the_other(road: Road) -> None:
    road = with_scan(road, missing_after=60, sweep=0.3)
    async with road.running(road.telescope, "projector"), scanning(road):
        async with scanning(road):
            units = [await begin(road) for _ in range(6)]
            for number, unit in enumerate(units):
                await say(road, filed(road, unit, f"{number}.fits"))
            await road.eventually(lambda: _acknowledged(road))
        for number in range(6):
            write(road, f"{number}.fits")
        await road.eventually(lambda: _all_scanned(road, 6))


async def _all_scanned(road: Road, count: int) -> bool:
    rows = await road.query(road.telescope, "SELECT count(*) FROM raw_data_file WHERE state = 'scanned'")
    return bool(rows[0][0] == count)


@pytest.mark.parametrize("code", ["file_changed", "file_unreadable"])
async def test_a_refused_file_is_announced_again_even_if_it_is_the_same(road: Road, code: str) -> None:
    road = with_scan(road, quiet=0.3)
    write(road, "a.fits")
    async with road.running(road.telescope, "projector"), scanning(road):
        unit = await begin(road)
        await say(road, filed(road, unit, "a.fits"))
        [first] = await road.wait_for(road.telescope, FilesScanned)
        await road.eventually(lambda: _state(road, unit, "a.fits", "scanned"))
        began = time.monotonic()
        await say(road, [refusal(road, unit, code)])
        _, second = await road.wait_for(road.telescope, FilesScanned, count=2)

        assert time.monotonic() - began >= 0.3, "it must be quiet again first"
        assert (second.files, first.after) == (first.files, None)
        assert second.after is not None
        await road.eventually(lambda: _state(road, unit, "a.fits", "scanned"))


def refusal(road: Road, unit: UUID, code: str) -> FilesRefused:
    problem = Problem(code=code, reason="it is so", remedy="mend it")
    return FilesRefused(
        executed_obs_unit_id=unit,
        instrument="camera",
        location=f"{road.telescope.site}-source",
        package_id=uuid4(),
        files=(ProblemFile(file_id=file_id(unit, "camera/a.fits"), path="camera/a.fits", problem=problem),),
    )


async def test_a_wrong_checksum_waits_for_a_person_and_a_correction_brings_the_file_back(road: Road) -> None:
    write(road, "a.fits")
    async with road.running(road.telescope, "projector"), scanning(road):
        unit = await begin(road)
        [wrong] = filed(road, unit, "a.fits", sha256="0" * 64)
        await say(road, [wrong])
        await road.wait_for(road.telescope, FilesScanned)
        await say(road, [refusal(road, unit, "checksum_mismatch")])
        await road.eventually(lambda: _state(road, unit, "a.fits", "refused"))
        await asyncio.sleep(1)
        assert len(await scanned_paths(road)) == 1

        [right] = filed(road, unit, "a.fits", sha256="1" * 64)
        await say(road, [right.model_copy(update={"after": uuid4()})])
        await road.wait_for(road.telescope, FilesScanned, count=2)
        await road.eventually(lambda: _state(road, unit, "a.fits", "scanned"))


async def test_unfiled_files_and_odd_entries_are_reported_once(road: Road) -> None:
    write(road, "filed.fits")
    write(road, "nobody.fits", b"1234")
    write(road, "put back.fits", b"123")
    write(road, "../stray.fits")
    (road.source / "link").symlink_to("/etc")
    os.mkfifo(road.source / "fifo")
    write(road, os.fsdecode(b"bad\xff"))
    server = socket.socket(socket.AF_UNIX)
    # The address of a socket has a hundred bytes at most: the folder is named by its open descriptor.
    folder = os.open(road.source, os.O_DIRECTORY)
    server.bind(f"/proc/self/fd/{folder}/socket")
    os.close(folder)
    async with road.running(road.telescope, "projector"):
        unit = await begin(road)
        await say(road, filed(road, unit, "filed.fits"))
        await say(road, cleared(road, unit, "put back.fits"))
        await road.eventually(lambda: _state(road, unit, "put back.fits", "scanned"))
        for _ in range(2):
            async with scanning(road, Watching.SWEEPS):
                await asyncio.sleep(2.5)
    server.close()

    events = await road.events_of(road.telescope, FilesUnfiled)
    found = {(f.path, f.problem.code if f.problem else None): e.instrument for e in events for f in e.files}
    assert found == {
        ("camera/nobody.fits", None): "camera",
        ("camera/put back.fits", "came_back"): "camera",
        ("stray.fits", None): None,
        ("camera/link", "symlink"): "camera",
        ("camera/fifo", "fifo"): "camera",
        ("camera/socket", "socket"): "camera",
        ("camera/bad\\xff", "name_not_utf8"): "camera",
    }
    assert sum(len(event.files) for event in events) == 7
    async with OpsDbReader.open(road.telescope.opsdb_dsn()) as opsdb:
        status = await site_status(road.telescope, road.client(road.telescope), opsdb)
    assert status.unfiled_files == 7


async def test_an_unmounted_disk_is_not_an_empty_one(road: Road) -> None:
    road = with_scan(road, missing_after=0.2, sweep=0.2)
    write(road, "a.fits")
    root = road.source.parent
    root.rename(root.with_name("away"))
    async with road.running(road.telescope, "projector"), scanning(road):
        unit = await begin(road)
        await say(road, filed(road, unit, "a.fits"))
        await asyncio.sleep(1.5)
        assert await road.events_of(road.telescope, FilesMissing) == []
        root.with_name("away").rename(root)
        await road.wait_for(road.telescope, FilesScanned, within_s=10)


async def test_thousands_of_files_are_announced_at_once(road: Road) -> None:
    road = with_scan(road, sweep=60)
    names = [f"d{n % 10}/{n:05}.fits" for n in range(2_000)]
    await asyncio.to_thread(lambda: [write(road, name, b"") for name in names])
    async with road.running(road.telescope, "projector"), scanning(road):
        await asyncio.sleep(0.5)
        unit = await begin(road)
        await say(road, filed(road, unit, *names))
        await road.wait_for(road.telescope, FilesScanned, count=4, within_s=50)  # before any sweep
        assert len(set(await scanned_paths(road))) == 2_000
