import asyncio
import hashlib
import os
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from contracts.base import Event
from contracts.bundles import BundledPackage, BundleReceived, BundleSealed
from contracts.envelope import Envelope
from contracts.packages import PackageCorrupted, PackageVerified
from contracts.subjects import events_stream, progress_bucket
from contracts.transfers import TransferCompleted, TransferFailed, TransferStarted
from libs.bus.buckets import read_bucket
from libs.bus.delivery import Delivery
from libs.errors import Retriable
from libs.service.service import Place
from libs.storage.partials import tries_at
from libs.transfer.engine import TransferItem
from services.mover.handlers import MoverHandlers
from services.mover.loading import load
from tests.support.road import Road
from tests.support.sealed import START, buffer_of, bundle_of, flip, large, seal_at_telescope
from tests.support.victims import victim

pytestmark = pytest.mark.integration

MIB = 1 << 20


def at_centre(road: Road, one: BundledPackage) -> Path:
    return buffer_of(road, road.centre.site) / one.path


def same_bytes(road: Road, one: BundledPackage) -> bool:
    return hashlib.sha256(at_centre(road, one).read_bytes()).hexdigest() == one.package.sha256


def limited(road: Road, rate: int) -> Place:
    """The telescope's place, its one route limited to `rate` bytes/s."""
    deployment = road.telescope.deployment
    routes = {
        name: route.model_copy(update={"rate_limit": rate}) for name, route in deployment.routes.items()
    }
    return replace(road.telescope, deployment=deployment.model_copy(update={"routes": routes}))


async def never(_: UUID) -> bool:
    return False


async def always(_: UUID) -> bool:
    return True


async def move_directly(
    road: Road, bundle: BundleSealed, *, completed_before: Callable[[UUID], Awaitable[bool]] = never
) -> Sequence[Event]:
    site = road.telescope.site
    handlers = MoverHandlers(
        place=road.telescope,
        client=road.client(road.telescope),
        publisher=road.publisher(road.telescope, "mover"),
        completed_before=completed_before,
        breakers=road.breakers(road.telescope),
        hindsight=road.without_hindsight(road.telescope),
    )
    envelope = Envelope.of(bundle, site=site, service="bundler", time=START)
    delivery = Delivery(envelope, events_stream(site), 1, 1)
    return await handlers.move(bundle, delivery)


async def test_a_repair_replaces_the_damaged_copy_once(road: Road) -> None:
    one = seal_at_telescope(road)
    await move_directly(road, bundle_of(road.telescope.deployment, one))
    flip(at_centre(road, one), 2000)
    assert not same_bytes(road, one)
    repair = bundle_of(road.telescope.deployment, one.model_copy(update={"attempt": 2}))
    [completed] = await move_directly(road, repair)
    assert isinstance(completed, TransferCompleted)
    assert completed.packages[0].attempt == 2
    assert same_bytes(road, one)
    inode = at_centre(road, one).stat().st_ino
    await move_directly(road, repair)
    assert at_centre(road, one).stat().st_ino == inode


async def test_a_lost_package_holds_up_no_other_one_of_its_bundle(road: Road) -> None:
    """What could be moved is verified; the lost one is asked for by whoever misses it."""
    there, gone = seal_at_telescope(road), seal_at_telescope(road)
    (buffer_of(road, road.telescope.site) / gone.path).unlink()
    async with (
        road.running(road.telescope, "projector", "mover"),
        road.running(road.centre, "projector", "verifier"),
    ):
        await road.publisher(road.telescope).publish([bundle_of(road.telescope.deployment, there, gone)])
        [received] = await road.wait_for(road.centre, BundleReceived)
    assert (received.verified, received.corrupted) == (1, 1)
    assert same_bytes(road, there)
    [verified] = await road.events_of(road.centre, PackageVerified)
    assert verified.package == there.package
    [missed] = await road.events_of(road.centre, PackageCorrupted)
    assert (missed.package, missed.origin_path) == (gone.package, gone.path)
    assert not await road.events_of(road.telescope, TransferFailed)
    assert not await road.letters(road.telescope)


async def test_a_disk_that_goes_away_in_the_middle_makes_no_package_lost(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unmounted disk leaves an empty folder behind: nothing is said, and the bundle waits for the disk."""
    one = seal_at_telescope(road)
    root = buffer_of(road, road.telescope.site)

    def then_away(
        packages: Sequence[BundledPackage], root_of: Callable[[str], Path], destination: Path
    ) -> list[TransferItem]:
        items = load(packages, root_of, destination)
        root.rename(root.with_name("unmounted"))
        root.mkdir()
        return items

    monkeypatch.setattr("services.mover.handlers.load", then_away)
    with pytest.raises(Retriable) as raised:
        await move_directly(road, bundle_of(road.telescope.deployment, one))
    assert raised.value.problem.code == "location_missing"


async def test_a_late_repeat_of_a_completed_transfer_is_no_failure(road: Road) -> None:
    one = seal_at_telescope(road)
    bundle = bundle_of(road.telescope.deployment, one)
    (buffer_of(road, road.telescope.site) / one.path).unlink()
    assert await move_directly(road, bundle, completed_before=always) == ()
    [completed] = await move_directly(road, bundle)
    assert isinstance(completed, TransferCompleted), (
        "what was never moved is found to be missing by the verifier"
    )


async def test_the_composed_mover_asks_ops_db_before_it_gives_up(road: Road) -> None:
    one = seal_at_telescope(road)
    bundle = bundle_of(road.telescope.deployment, one)
    publisher = road.publisher(road.telescope)
    async with road.running(road.telescope, "projector", "mover"):
        await publisher.publish([bundle])
        await road.wait_for(road.telescope, TransferCompleted)
        await road.eventually(
            lambda: road.query(road.telescope, "SELECT FROM data_transfer WHERE state = 'completed'")
        )
        (buffer_of(road, road.telescope.site) / one.path).unlink()
        at_centre(road, one).unlink()
        headers = Envelope.of(bundle, site=road.telescope.site, service="test", time=START).headers()
        headers.pop("Nats-Msg-Id")
        js = road.client(road.telescope).jetstream()
        await js.publish(
            bundle.subject(road.telescope.site), bundle.model_dump_json().encode(), headers=headers
        )
        durable = f"{road.telescope.site}_mover_move"

        async def settled() -> bool:
            info = await js.consumer_info(events_stream(road.telescope.site), durable)
            return not info.num_pending and not info.num_ack_pending

        await road.eventually(settled, what="the repeat to be settled")
    assert not await road.events_of(road.telescope, TransferFailed)
    assert not await road.letters(road.telescope)


@pytest.mark.parametrize("end", ["telescope", "centre"])
async def test_a_disk_that_is_away_is_waited_for(road: Road, end: str) -> None:
    one = seal_at_telescope(road)
    root = buffer_of(road, getattr(road, end).site)
    away = root.with_name("away")
    root.rename(away)
    if end == "telescope":
        root.mkdir()  # what an unmounted disk leaves behind
    async with road.running(road.telescope, "projector", "mover"):
        await road.publisher(road.telescope).publish([bundle_of(road.telescope.deployment, one)])
        await road.wait_for(road.telescope, TransferStarted)
        await asyncio.sleep(0.5)
        shutil.rmtree(root, ignore_errors=True)
        away.rename(root)
        await road.wait_for(road.telescope, TransferCompleted)
    assert same_bytes(road, one)
    assert not await road.events_of(road.telescope, TransferFailed)
    assert not await road.letters(road.telescope)


async def test_room_at_the_destination_is_looked_at_before_the_first_byte(road: Road) -> None:
    one = seal_at_telescope(road)
    source = buffer_of(road, road.telescope.site) / one.path
    free = os.statvfs(source).f_bavail * os.statvfs(source).f_frsize
    size = free + (1 << 30)
    os.truncate(source, size)  # sparse: it takes no room itself
    huge = one.model_copy(update={"package": one.package.model_copy(update={"size": size})})
    with pytest.raises(Retriable) as caught:
        await move_directly(road, bundle_of(road.telescope.deployment, huge))
    assert caught.value.problem.code == "disk_full"
    assert list(buffer_of(road, road.centre.site).iterdir()) == []


async def test_a_path_out_of_the_buffer_is_refused(road: Road) -> None:
    one = seal_at_telescope(road).model_copy(update={"path": "packages/../../x.tar"})
    async with road.running(road.telescope, "projector", "mover"):
        await road.publisher(road.telescope).publish([bundle_of(road.telescope.deployment, one)])
        await road.eventually(lambda: road.letters(road.telescope), what="a dead letter")
    [letter] = await road.letters(road.telescope)
    assert "path_outside" in letter["chasqui-dead-problem"]


async def test_progress_is_told_while_bytes_move(road: Road) -> None:
    one = seal_at_telescope(road, large(8 * MIB))
    place = limited(road, 4 * MIB)
    client = road.client(place)
    seen = []
    async with road.running(place, "projector", "mover"):
        await road.publisher(place).publish([bundle_of(place.deployment, one)])
        [started] = await road.wait_for(place, TransferStarted)
        key = f"mover.{started.transfer_id}"
        while not await road.events_of(place, TransferCompleted):
            told = await read_bucket(client, progress_bucket(place.site))
            seen += [told[key]] if key in told else []
            await asyncio.sleep(0.1)
        last = (await read_bucket(client, progress_bucket(place.site)))[key]
    growing = [facts["done"] for facts in seen]
    assert growing == sorted(growing)
    assert any(0 < done < one.package.size for done in growing)
    assert any(facts.get("eta_s") and facts["rate"] for facts in seen)
    assert {facts["total"] for facts in seen} == {one.package.size}
    assert last["done"] == one.package.size
    assert last["ended"]


async def test_a_small_bundle_is_not_behind_a_huge_one(road: Road) -> None:
    place = limited(road, 8 * MIB)
    huge, small = seal_at_telescope(road, large(24 * MIB)), seal_at_telescope(road)
    async with road.running(place, "projector", "mover"):
        await road.publisher(place).publish([bundle_of(place.deployment, huge)])
        await road.wait_for(place, TransferStarted)
        await road.publisher(place).publish([bundle_of(place.deployment, small)])
        [first] = await road.wait_for(place, TransferCompleted)
    assert first.packages[0].package == small.package


async def test_killed_in_the_middle_it_moves_the_bundle_once(road: Road) -> None:
    one = seal_at_telescope(road, large(130 * MIB))
    place = limited(road, 60 * MIB)
    await road.publisher(place).publish([bundle_of(place.deployment, one)])
    async with road.running(place, "projector"), victim(road, place, "mover") as process:
        header = 0

        def one_chunk_is_journalled() -> bool:
            nonlocal header
            journals = at_centre(road, one).parent.glob(".*.partial.journal")
            size = max((journal.stat().st_size for journal in journals), default=0)
            header = header or size
            return size > header > 0

        await road.eventually(one_chunk_is_journalled, what="a chunk")
        process.kill()
        await asyncio.to_thread(process.join)
    assert len(tries_at(at_centre(road, one))) == 1
    assert not at_centre(road, one).exists()
    async with road.running(place, "projector", "mover"):
        await road.wait_for(place, TransferCompleted)
    assert same_bytes(road, one)
    assert [path.name for path in at_centre(road, one).parent.iterdir()] == [one.package.name]
    assert len(await road.events_of(place, TransferStarted)) == 1
    assert len(await road.events_of(place, TransferCompleted)) == 1
