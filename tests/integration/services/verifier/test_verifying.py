import asyncio
import hashlib
import shutil
from pathlib import Path

import pytest

from contracts.base import Event
from contracts.bundles import BundleReceived
from contracts.packages import PackageCorrupted, PackageVerified
from contracts.transfers import TransferCompleted
from tests.support.road import Road
from tests.support.sealed import arrive, buffer_of, flip, seal_at_telescope

pytestmark = pytest.mark.integration


def arrived(road: Road, path: str) -> Path:
    return buffer_of(road, road.centre.site) / path


async def say(road: Road, event: Event) -> None:
    await road.publisher(road.telescope, "mover").publish([event])


async def said(road: Road) -> list[Event]:
    """What the verifier said, in order."""
    kinds = (PackageVerified, PackageCorrupted, BundleReceived)
    return [event for _, event in await road.events(road.centre) if isinstance(event, kinds)]


async def test_every_package_of_a_bundle_is_verified_then_the_bundle(road: Road) -> None:
    packages = [seal_at_telescope(road) for _ in range(3)]
    event = arrive(road, *packages)
    async with road.running(road.centre, "projector", "verifier"):
        await say(road, event)
        [received] = await road.wait_for(road.centre, BundleReceived)
    assert (received.verified, received.corrupted) == (3, 0)
    verified = await road.events_of(road.centre, PackageVerified)
    assert {one.package.package_id for one in verified} == {one.package.package_id for one in packages}
    assert {one.location for one in verified} == {f"{road.centre.site}-buffer"}
    assert {one.transfer_id for one in verified} == {event.transfer_id}
    assert isinstance((await said(road))[-1], BundleReceived)


async def test_one_flipped_byte_sends_for_that_package_alone(road: Road) -> None:
    packages = [seal_at_telescope(road) for _ in range(3)]
    event, damaged = arrive(road, *packages), packages[1]
    flip(arrived(road, damaged.path), arrived(road, damaged.path).read_bytes().index(b"AAAA"))
    async with road.running(road.centre, "projector", "verifier"):
        await say(road, event)
        [received] = await road.wait_for(road.centre, BundleReceived)
        [corrupted] = await road.events_of(road.centre, PackageCorrupted)
        assert (received.verified, received.corrupted) == (2, 1)
        assert corrupted.package == damaged.package
        assert corrupted.origin_location == damaged.location
        assert (corrupted.origin, corrupted.origin_path) == (road.telescope.site, damaged.path)
        assert corrupted.attempt == 1
        assert [problem.code for problem in corrupted.problems] == ["package_checksum", "file_checksum"]
        assert not arrived(road, damaged.path).exists()
        [aside] = arrived(road, ".quarantine").iterdir()
        assert aside.name.endswith(damaged.package.name)
        whole = (buffer_of(road, road.telescope.site) / damaged.path).read_bytes()
        assert hashlib.sha256(whole).hexdigest() == damaged.package.sha256

        await say(road, arrive(road, damaged.model_copy(update={"attempt": 2})))
        await road.wait_for(road.centre, PackageVerified, count=3)


async def test_the_damaged_package_comes_again_by_itself(road: Road) -> None:
    """The repair through the real bundler and mover: only the one package crosses the link again."""
    good, bad = seal_at_telescope(road), seal_at_telescope(road)
    event = arrive(road, good, bad)
    flip(arrived(road, bad.path), 1000)
    async with (
        road.running(road.telescope, "projector", "bundler", "mover"),
        road.running(road.centre, "projector", "verifier"),
    ):
        await say(road, event)
        await road.wait_for(road.centre, PackageVerified, count=2)
    moved = [one for one in await road.events_of(road.telescope, TransferCompleted) if one != event]
    assert [[p.package.package_id for p in one.packages] for one in moved] == [[bad.package.package_id]]
    assert hashlib.sha256(arrived(road, bad.path).read_bytes()).hexdigest() == bad.package.sha256


async def test_a_package_that_is_not_there_is_sent_for(road: Road) -> None:
    there, gone = seal_at_telescope(road), seal_at_telescope(road)
    event = arrive(road, there, gone)
    arrived(road, gone.path).unlink()
    async with road.running(road.centre, "projector", "verifier"):
        await say(road, event)
        await road.wait_for(road.centre, BundleReceived)
    [corrupted] = await road.events_of(road.centre, PackageCorrupted)
    assert [problem.code for problem in corrupted.problems] == ["package_missing"]
    assert corrupted.package == gone.package


@pytest.mark.parametrize("left_behind", ["nothing", "an empty mount point"])
async def test_a_disk_that_is_away_condemns_no_copy(road: Road, left_behind: str) -> None:
    packages = [seal_at_telescope(road) for _ in range(2)]
    event = arrive(road, *packages)
    root = buffer_of(road, road.centre.site)
    away = root.with_name("away")
    root.rename(away)
    if left_behind != "nothing":
        root.mkdir()
    async with road.running(road.centre, "projector", "verifier"):
        await say(road, event)
        await asyncio.sleep(1.0)
        assert await said(road) == []
        shutil.rmtree(root, ignore_errors=True)
        away.rename(root)
        [received] = await road.wait_for(road.centre, BundleReceived)
    assert (received.verified, received.corrupted) == (2, 0)
    assert not await road.events_of(road.centre, PackageCorrupted)
    assert not await road.letters(road.centre)


async def test_what_arrived_elsewhere_is_left_to_others(road: Road) -> None:
    one = seal_at_telescope(road)
    event = arrive(road, one)
    elsewhere = event.model_copy(
        update={"location": f"{road.telescope.site}-buffer", "transfer_id": event.bundle_id}
    )
    async with road.running(road.centre, "projector", "verifier"):
        await say(road, elsewhere)
        await say(road, event)
        await road.wait_for(road.centre, BundleReceived)
    assert {one.transfer_id for one in await road.events_of(road.centre, PackageVerified)} == {
        event.transfer_id
    }
    assert not await road.events_of(road.centre, PackageCorrupted)


async def repeated(road: Road, event: TransferCompleted) -> None:
    """Store an event again, as long after the duplicate window, and wait until the verifier has settled it."""
    subject, stream = event.subject(road.telescope.site), f"EVENTS_{road.telescope.site}"
    js = road.client(road.telescope).jetstream()
    stored = await js.get_last_msg(stream, subject)
    headers = {key: value for key, value in (stored.headers or {}).items() if not key.startswith("Nats-")}
    await js.publish(subject, stored.data or b"", headers=headers)
    async with road.running(road.centre, "projector", "verifier"):

        async def settled() -> bool:
            info = await js.consumer_info(stream, f"{road.centre.site}_verifier_verify")
            return not info.num_pending and not info.num_ack_pending

        await road.eventually(settled, what="the repeat to be settled")


async def test_a_repeat_says_the_same(road: Road) -> None:
    packages = [seal_at_telescope(road) for _ in range(2)]
    event = arrive(road, *packages)
    flip(arrived(road, packages[0].path), 600)
    async with road.running(road.centre, "projector", "verifier"):
        await say(road, event)
        await road.wait_for(road.centre, BundleReceived)
    before = await said(road)
    await repeated(road, event)
    assert await said(road) == before


async def test_a_repeat_after_the_package_left_the_buffer_condemns_nothing(road: Road) -> None:
    whole, damaged = seal_at_telescope(road), seal_at_telescope(road)
    event = arrive(road, whole, damaged)
    flip(arrived(road, damaged.path), 600)
    async with road.running(road.centre, "projector", "verifier"):
        await say(road, event)
        await road.wait_for(road.centre, BundleReceived)
    before = await said(road)
    # Archived and cleared meanwhile, as the janitor does.
    arrived(road, whole.path).unlink()
    await repeated(road, event)
    assert await said(road) == before
    assert not await road.letters(road.centre)


async def test_a_site_without_route_of_that_name_still_verifies(road: Road) -> None:
    """The route may have been renamed while the bundle was on its way."""
    event = arrive(road, seal_at_telescope(road)).model_copy(update={"route": "old-name"})
    async with road.running(road.centre, "projector", "verifier"):
        await say(road, event)
        [received] = await road.wait_for(road.centre, BundleReceived)
    assert received.route == "old-name"
