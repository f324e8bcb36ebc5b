"""Recalling one package when some of its archive copies cannot be used."""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.breakers.shared import Breakers
from libs.errors import Permanent, Retriable
from libs.storage.s3 import S3Store
from services.stager.archives import ArchiveCopy
from services.stager.recalling import recall
from services.stager.resolving import Wanted
from tests.support.archived import Package, sealed
from tests.support.road import Road
from tests.support.s3_proxy import Fault, S3Proxy

pytestmark = pytest.mark.integration

DATA = b"byte for byte" * 1_500_000


@pytest.fixture
async def package(road: Road) -> Package:
    made = await sealed(road, {"a.fits": DATA})
    await made.upload()
    return made


@pytest.fixture
async def store(road: Road) -> AsyncIterator[S3Store]:
    async with S3Store(road.centre.s3(f"{road.centre.site}-archive")) as opened:
        yield opened


@pytest.fixture
def breakers(road: Road) -> Breakers:
    return road.breakers(road.centre)


def wanted(package: Package) -> Wanted:
    record = package.record
    return Wanted(package.id, record.name, record.size, record.sha256, None, record.payload_bytes)


async def put_damaged(store: S3Store, package: Package, key: str) -> None:
    data = bytearray(package.at_telescope.read_bytes())
    data[len(data) // 2] ^= 1
    copy = package.at_telescope.with_name("damaged")
    await asyncio.to_thread(copy.write_bytes, data)
    await store.upload_file(copy, key, size=len(data), expected_sha256=hashlib.sha256(data).hexdigest())


async def test_the_next_copy_is_tried_after_damaged_missing_and_keyless_ones(
    package: Package, store: S3Store, breakers: Breakers, tmp_path: Path
) -> None:
    await put_damaged(store, package, "damaged.tar")
    copies = [
        ArchiveCopy("here", "damaged.tar"),
        ArchiveCopy("here", "never-there.tar"),
        ArchiveCopy("keyless", package.key),
        ArchiveCopy("here", package.key),
    ]
    seen: list[int] = []
    bag = await recall(
        wanted(package), copies, {"here": store}, breakers, tmp_path / "job", progress=seen.append
    )
    (path,) = package.contents
    assert (tmp_path / "job" / path).read_bytes() == DATA
    assert bag.written == (path,)
    assert seen[-1] == package.record.size


async def test_a_way_that_turns_bits_condemns_no_copy_and_a_copy_that_is_damaged_is_condemned(
    road: Road, package: Package, store: S3Store, breakers: Breakers, tmp_path: Path
) -> None:
    settings = road.centre.s3(f"{road.centre.site}-archive")
    copies, destination = [ArchiveCopy("here", package.key)], tmp_path / "job"
    with S3Proxy(road.servers.s3_endpoint) as proxy:
        turns = proxy.happened
        proxy.choice = lambda head: Fault.FLIPPED if turns.total() < 2 and head.method == "GET" else None
        async with S3Store(settings.model_copy(update={"endpoint": proxy.url})) as garbled:
            stores = {"here": garbled}
            with pytest.raises(Retriable, match="archive_misread"):
                await recall(wanted(package), copies, stores, breakers, destination, progress=print)
            turns.clear()
            proxy.choice = lambda head: Fault.FLIPPED if not turns and head.method == "GET" else None
            await recall(wanted(package), copies, stores, breakers, destination, progress=print)
    assert (destination / next(iter(package.contents))).read_bytes() == DATA
    await put_damaged(store, package, "damaged.tar")
    with pytest.raises(Permanent, match="archive_copy_damaged"):
        await recall(
            wanted(package),
            [ArchiveCopy("here", "damaged.tar")],
            {"here": store},
            breakers,
            tmp_path / "other",
            progress=print,
        )


async def test_an_archive_without_keys_is_waited_for(
    package: Package, breakers: Breakers, tmp_path: Path
) -> None:
    with pytest.raises(Retriable, match="archive_without_keys"):
        await recall(
            wanted(package), [ArchiveCopy("far", package.key)], {}, breakers, tmp_path / "job", progress=print
        )


async def test_a_recall_that_is_stopped_leaves_nothing_behind(
    package: Package, store: S3Store, breakers: Breakers, tmp_path: Path
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def progress(_: int) -> None:
        begun.set()
        assert go_on.wait(20)

    copies, area = [ArchiveCopy("here", package.key)], tmp_path / "area"
    task = asyncio.create_task(
        recall(wanted(package), copies, {"here": store}, breakers, area / "job", progress=progress)
    )
    assert await asyncio.to_thread(begun.wait, 20)
    task.cancel()
    await asyncio.sleep(0.05)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(area.iterdir()) == []
    await recall(wanted(package), copies, {"here": store}, breakers, area / "job", progress=progress)
    assert [path.name for path in area.iterdir()] == ["job"]
