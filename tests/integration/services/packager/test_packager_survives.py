"""The packager killed, stopped, or handed the same work twice."""

import asyncio
import os
import signal
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.envelope import Envelope
from contracts.files import FilesAssigned, FilesPackaged, FilesRefused
from contracts.packages import PackagePlanned, PackageSealed, Provenance, package_id
from libs.packaging import PayloadFile, inspect_bag
from libs.storage.files import sha256_file
from services.packager.building import Order, build
from services.packager.handlers import BUILD
from services.packager.naming import bag_info, package_name, package_path
from tests.support.observing import Observation
from tests.support.processes import process_of
from tests.support.road import Road

pytestmark = pytest.mark.integration

LARGE = 600_000_000


async def observe_large(observation: Observation, size: int) -> str:
    """An observation of one large file (with holes, so that it costs no disk)."""
    await observation.start()
    (path,) = await observation.file({"large.fits": b"SIMPLE"})
    os.truncate(observation.on_disk(path), size)
    await observation.scan([path])
    await observation.finish()
    return path


def packages(road: Road) -> list[Path]:
    """Everything below the telescope's BUFFER that is a file, partial ones included."""
    root = road.folder(f"{road.telescope.site}-buffer")
    return sorted(path for path in root.rglob("*") if path.is_file())


async def growing(road: Road, size: int) -> None:
    """Wait until a partial package has so many bytes."""
    await road.eventually(
        lambda: any(path.stat().st_size > size for path in packages(road) if path.suffix == ".partial"),
        what="a package being written",
    )


async def test_a_packager_killed_in_the_middle_leaves_no_trace(road: Road, tmp_path: Path) -> None:
    observation = Observation(road)
    path = await observe_large(observation, LARGE)
    async with road.running(road.telescope, "projector"):
        async with process_of(road, road.telescope, "packager", tmp_path) as process:
            await growing(road, 20_000_000)
            process.send_signal(signal.SIGKILL)
            await process.wait()
        assert [one.suffix for one in packages(road)] == [".partial"]
        assert await road.events_of(road.telescope, PackageSealed) == []
        async with road.running(road.telescope, "packager"):
            (sealed,) = await road.wait_for(road.telescope, PackageSealed, within_s=60)
    assert len(await road.events_of(road.telescope, PackagePlanned)) == 1
    assert len(await road.events_of(road.telescope, FilesPackaged)) == 1
    (tar,) = packages(road)
    bag = await asyncio.to_thread(
        inspect_bag, tar, expected_sha256=sealed.package.sha256, expected_size=sealed.package.size
    )
    assert bag.files[0].sha256 == await asyncio.to_thread(sha256_file, observation.on_disk(path))
    tar.unlink()


async def test_a_stopped_packager_lets_go_of_its_work_within_a_block(road: Road, tmp_path: Path) -> None:
    observation = Observation(road)
    await observe_large(observation, 8_000_000_000)
    async with road.running(road.telescope, "projector"):
        async with process_of(road, road.telescope, "packager", tmp_path, graceful_s=0.1) as process:
            await growing(road, 20_000_000)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 15) == 0
        assert packages(road) == []
        assert await road.events_of(road.telescope, PackageSealed) == []
        js = road.client(road.telescope).jetstream()
        info = await js.consumer_info(f"EVENTS_{road.telescope.site}", BUILD.durable(road.telescope.site))
        assert info.ack_floor is not None
        assert (info.num_ack_pending or 0) + (info.num_pending or 0) == 1


async def test_a_package_that_stands_is_told_of_though_its_files_changed(road: Road) -> None:
    observation = Observation(road)
    (path, *_) = await observation.observe({f"{n}.fits": b"x" * 1000 for n in range(3)})
    async with road.running(road.telescope, "projector"):
        planned = await plan_by_hand(observation)
        order = order_of(observation, planned)
        built = await asyncio.to_thread(build, order, lambda _: None, threading.Event())
        observation.on_disk(path).write_bytes(b"changed after the package had its name")
        async with road.running(road.telescope, "packager"):
            (sealed,) = await road.wait_for(road.telescope, PackageSealed)
    assert (sealed.package.sha256, sealed.package.size) == (built.sha256, built.size)
    assert await road.events_of(road.telescope, FilesRefused) == []


async def test_a_repeat_long_after_the_package_was_sealed_changes_nothing(road: Road) -> None:
    observation = Observation(road)
    await observation.observe({"a.fits": b"x" * 1000})
    async with road.running(road.telescope, "projector", "packager"):
        (sealed,) = await road.wait_for(road.telescope, PackageSealed)
        (planned,) = await road.events_of(road.telescope, PackagePlanned)
        (tar,) = packages(road)
        tar.unlink()
        await repeat(road, planned)
        await road.eventually(lambda: _settled(road), what="the repeat settled")
    assert await road.events_of(road.telescope, PackageSealed) == [sealed]
    assert packages(road) == []


async def plan_by_hand(observation: Observation) -> PackagePlanned:
    """Say what a packager says that is killed after it wrote the package."""
    files = tuple(file.file_id for file in observation.files.values())
    package = package_id(observation.unit, "main", 1)
    provenance = Provenance(
        observatory="Test Observatory",
        telescope="Test Telescope",
        site=observation.road.telescope.site,
        instrument="camera",
        module="main",
        executed_obs_unit_id=observation.unit,
    )
    planned = PackagePlanned(
        package_id=package,
        number=1,
        name=package_name(provenance, 1),
        source=observation.location,
        buffer=f"{observation.road.telescope.site}-buffer",
        file_count=len(files),
        payload_bytes=3000,
        provenance=provenance,
    )
    assigned = FilesAssigned(package_id=package, executed_obs_unit_id=observation.unit, file_ids=files)
    await observation.publisher.publish([assigned, planned])
    return planned


def order_of(observation: Observation, planned: PackagePlanned) -> Order:
    """The order that the plan comes to."""
    facts = {path: observation.on_disk(path).stat() for path in observation.files}
    place = observation.road.telescope
    return Order(
        source=place.disk(planned.source).path,
        buffer=place.disk(planned.buffer).path,
        path=package_path(planned.provenance, planned.name),
        bag_name=planned.name.removesuffix(".tar"),
        info=bag_info(planned.provenance, planned.package_id, datetime.now(UTC).date()),
        files=tuple(PayloadFile(path, one.st_size, one.st_mtime_ns) for path, one in facts.items()),
    )


async def repeat(road: Road, planned: PackagePlanned) -> None:
    """Send PackagePlanned once more, as after the duplicate window."""
    place = road.telescope
    envelope = Envelope.of(planned, site=place.site, service="packager", time=datetime.now(UTC))
    headers = envelope.headers()
    del headers["Nats-Msg-Id"]
    js = road.client(place).jetstream()
    await js.publish(PackagePlanned.subject(place.site), planned.model_dump_json().encode(), headers=headers)


async def _settled(road: Road) -> bool:
    js = road.client(road.telescope).jetstream()
    info = await js.consumer_info(f"EVENTS_{road.telescope.site}", BUILD.durable(road.telescope.site))
    return not info.num_ack_pending and not info.num_pending


async def test_a_packager_without_an_ops_db_waits_for_it(road: Road) -> None:
    observation = Observation(road)
    await observation.observe({"a.fits": b"a"})
    over = asyncio.Event()

    async def packager() -> None:
        async with road.running(road.telescope, "packager"):
            await over.wait()

    packing = asyncio.create_task(packager())
    await asyncio.sleep(1)
    assert await road.events_of(road.telescope, PackagePlanned) == []
    async with road.running(road.telescope, "projector"):
        await road.wait_for(road.telescope, PackageSealed)
        over.set()
        await packing
    assert await road.letters(road.telescope) == []


async def test_two_packagers_build_every_package_once(road: Road) -> None:
    observations = [Observation(road) for _ in range(6)]
    for number, observation in enumerate(observations):
        await observation.observe({f"{n}.fits": bytes([number]) * 200_000 for n in range(5)})
    async with (
        road.running(road.telescope, "projector"),
        road.running(road.telescope, "packager"),
        road.running(road.telescope, "packager"),
    ):
        sealed = await road.wait_for(road.telescope, PackageSealed, count=6)
    assert len({one.package.package_id for one in sealed}) == 6
    assert len(packages(road)) == 6
