"""From sealed packages to bundles."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from contracts.base import Event
from contracts.bundles import BundleSealed, SealReason
from contracts.packages import PackageCorrupted, PackageRecord, PackageSealed, Provenance
from contracts.problems import Problem
from contracts.subjects import events_stream
from contracts.transfers import MovedPackage, TransferCompleted, TransferFailed, transfer_id
from libs.bus.guard import Guard
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from services.bundler.sealing import Sealer
from tests.support.road import Road
from tests.support.sealed import seal_at_telescope

pytestmark = pytest.mark.integration


def with_route(road: Road, **settings: object) -> Place:
    """The telescope's place with other settings of its one route."""
    deployment = road.telescope.deployment
    ((name, route),) = deployment.routes.items()
    fields = route.model_dump() | settings
    changed = type(route).model_validate(fields)
    return replace(road.telescope, deployment=deployment.model_copy(update={"routes": {name: changed}}))


def sealed(road: Road, size: int = 1000, *, priority: int = 5) -> PackageSealed:
    """A package that was sealed at the telescope."""
    package = uuid4()
    record = PackageRecord(
        package_id=package,
        name=f"{package}.tar",
        size=size,
        sha256="0" * 64,
        file_count=1,
        payload_bytes=size,
        priority=priority,
        provenance=Provenance(
            observatory="o",
            telescope="t",
            site=road.telescope.site,
            instrument="camera",
            module="main",
            executed_obs_unit_id=uuid4(),
        ),
    )
    site = road.telescope.site
    return PackageSealed(
        package=record, source=f"{site}-source", buffer=f"{site}-buffer", path=f"packages/{record.name}"
    )


async def say(road: Road, *events: Event, place: Place | None = None) -> None:
    """Other services say so, one after the other."""
    publisher = road.publisher(place or road.telescope)
    for event in events:
        await publisher.publish([event])


def arrived(road: Road, bundle: BundleSealed) -> TransferCompleted:
    """The bundle is at the other end."""
    centre = road.centre.site
    return TransferCompleted(
        transfer_id=transfer_id(bundle.bundle_id, centre),
        bundle_id=bundle.bundle_id,
        route=bundle.route,
        origin=bundle.origin,
        destination=centre,
        origin_location=f"{road.telescope.site}-buffer",
        location=f"{centre}-buffer",
        size=bundle.size,
        seconds=1.0,
        packages=tuple(
            MovedPackage(package=one.package, origin_path=one.path, path=one.path) for one in bundle.packages
        ),
    )


def ids(packages: Sequence[PackageSealed]) -> set[UUID]:
    return {one.package.package_id for one in packages}


def carried(bundles: Sequence[BundleSealed]) -> list[UUID]:
    return [one.package.package_id for bundle in bundles for one in bundle.packages]


async def test_an_idle_route_gets_a_package_at_once(road: Road) -> None:
    package = sealed(road)
    async with road.running(road.telescope, "projector", "bundler"):
        await say(road, package)
        (bundle,) = await road.wait_for(road.telescope, BundleSealed, within_s=5)
    assert bundle.reason is SealReason.IDLE_ROUTE
    assert (bundle.origin, bundle.destination) == (road.telescope.site, road.centre.site)
    (one,) = bundle.packages
    assert (one.package, one.location, one.path, one.attempt) == (
        package.package,
        package.buffer,
        package.path,
        1,
    )


async def test_under_load_packages_gather_until_the_link_is_free(road: Road) -> None:
    first, *others = [sealed(road, priority=priority) for priority in (5, 5, 2, 5, 2)]
    async with road.running(road.telescope, "projector", "bundler"):
        await say(road, first)
        (going,) = await road.wait_for(road.telescope, BundleSealed)
        await say(road, *others)
        await asyncio.sleep(1)
        assert len(await road.events_of(road.telescope, BundleSealed)) == 1
        await say(road, arrived(road, going))
        _, urgent = await road.wait_for(road.telescope, BundleSealed, count=2)
        failed = TransferFailed(
            transfer_id=transfer_id(urgent.bundle_id, road.centre.site),
            bundle_id=urgent.bundle_id,
            route=urgent.route,
            package_ids=tuple(carried([urgent])),
            problem=Problem(code="link_down", reason="no answer", remedy="Wait."),
        )
        await say(road, failed)
        _, _, rest = await road.wait_for(road.telescope, BundleSealed, count=3)
    assert (urgent.priority, set(carried([urgent]))) == (2, ids([others[1], others[3]]))
    assert (rest.priority, set(carried([rest]))) == (5, ids([others[0], others[2]]))


async def test_under_load_a_bundle_goes_when_it_is_large_enough(road: Road) -> None:
    place = with_route(road, target_size=3000)
    async with road.running(place, "projector", "bundler"):
        await say(road, sealed(road))
        await road.wait_for(place, BundleSealed)
        await say(road, *(sealed(road) for _ in range(4)))
        _, full = await road.wait_for(place, BundleSealed, count=2)
    assert (full.reason, full.size) == (SealReason.TARGET_SIZE, 3000)


async def test_the_clock_ends_the_longest_wait(road: Road) -> None:
    place = with_route(road, send_when_idle=False, longest_wait="2s")
    async with road.running(place, "projector", "bundler"):
        await say(road, sealed(road), sealed(road))
        await asyncio.sleep(1)
        assert await road.events_of(place, BundleSealed) == []
        (bundle,) = await road.wait_for(place, BundleSealed, within_s=5)
    assert (bundle.reason, len(bundle.packages)) == (SealReason.LONGEST_WAIT, 2)


async def test_packages_that_wait_survive_the_bundler(road: Road) -> None:
    place = with_route(road, send_when_idle=False, longest_wait="1h")
    packages = [sealed(road) for _ in range(3)]
    async with road.running(road.telescope, "projector"):
        async with road.running(place, "bundler"):
            await say(road, *packages)
            await asyncio.sleep(1)
        assert await road.events_of(place, BundleSealed) == []
        async with road.running(road.telescope, "bundler"):
            (bundle,) = await road.wait_for(road.telescope, BundleSealed, within_s=10)
    assert set(carried([bundle])) == ids(packages)


async def test_two_bundlers_put_no_package_into_two_bundles(road: Road) -> None:
    place = with_route(road, target_size=5000, longest_wait="1s", send_when_idle=False)
    packages = [sealed(road) for _ in range(120)]
    async with (
        road.running(place, "projector"),
        road.running(place, "bundler"),
        road.running(place, "bundler"),
    ):
        await say(road, *packages)
        await road.eventually(lambda: _all_bundled(road), what="all packages bundled")
    bundles = await road.events_of(place, BundleSealed)
    assert len(carried(bundles)) == 120
    assert set(carried(bundles)) == ids(packages)
    assert len({bundle.bundle_id for bundle in bundles}) == len(bundles)
    assert await road.letters(place) == []


async def _all_bundled(road: Road) -> bool:
    (row,) = await road.query(
        road.telescope,
        "SELECT count(*) AS bundled FROM raw_data_package WHERE data_transfer_package_id IS NOT NULL",
    )
    return bool(row["bundled"] == 120)


def on_disk(road: Road) -> PackageSealed:
    """A package that was sealed at the telescope, and lies there."""
    one, site = seal_at_telescope(road), road.telescope.site
    return PackageSealed(package=one.package, source=f"{site}-source", buffer=one.location, path=one.path)


def corrupted(road: Road, package: PackageSealed, bundle: BundleSealed, attempt: int) -> PackageCorrupted:
    """It arrived damaged."""
    return PackageCorrupted(
        package=package.package,
        bundle_id=bundle.bundle_id,
        transfer_id=transfer_id(bundle.bundle_id, road.centre.site),
        origin=road.telescope.site,
        origin_location=package.buffer,
        origin_path=package.path,
        location=f"{road.centre.site}-buffer",
        attempt=attempt,
        problems=(Problem(code="package_checksum", reason="sha256 differs", remedy="Send it again."),),
    )


async def test_a_damaged_package_travels_again_alone_and_not_for_ever(road: Road) -> None:
    packages = [sealed(road), on_disk(road)]
    bad = packages[1]
    place = with_route(road, target_size=2000)
    async with road.running(place, "projector", "bundler"):
        await say(road, *packages)
        await say(road, arrived(road, (await road.wait_for(place, BundleSealed))[0]))
        await road.eventually(lambda: _bundled(road, 2), what="both bundled")
        bundles = await road.events_of(place, BundleSealed)
        before = len(bundles)
        for attempt in (1, 2):
            damaged = corrupted(road, bad, bundles[-1], attempt)
            await say(road, damaged, place=road.centre)
            bundles = await road.wait_for(place, BundleSealed, count=before + attempt)
            (again,) = bundles[-1].packages
            assert bundles[-1].reason is SealReason.REPAIR
            assert (again.package, again.attempt, again.path) == (bad.package, attempt + 1, bad.path)
        await say(road, corrupted(road, bad, bundles[-1], 3), place=road.centre)
        await road.eventually(lambda: road.letters(place), what="a dead letter")
    (letter,) = await road.letters(place)
    assert "package_undeliverable" in letter["chasqui-dead-problem"]
    assert len(await road.events_of(place, BundleSealed)) == before + 2


async def _bundled(road: Road, count: int) -> bool:
    return len(carried(await road.events_of(road.telescope, BundleSealed))) == count


class Interrupted(Guard):
    """Lets somebody else act right before the first bundle is stored."""

    interruption: Callable[[], Awaitable[None]] | None = None

    async def publish(self, event: Event, *, after: int, causation_id: str | None) -> int:
        if self.interruption is not None:
            interrupt, self.interruption = self.interruption, None
            await interrupt()
        return await super().publish(event, after=after, causation_id=causation_id)


async def test_a_rival_that_knew_of_more_packages_wins(road: Road) -> None:
    place = road.telescope
    client, publisher = road.client(place), road.publisher(place, "bundler")
    early, late = sealed(road), sealed(road)
    await say(road, early)
    guard = Interrupted(client, publisher, site=place.site, event=BundleSealed)
    rival_guard = Guard(client, publisher, site=place.site, event=BundleSealed)
    async with road.running(place, "projector"), OpsDbReader.open(place.opsdb_dsn()) as opsdb:
        sealer, rival = (
            Sealer(opsdb=opsdb, sealed=each, deployment=place.deployment, site=place.site)
            for each in (guard, rival_guard)
        )

        async def applied() -> None:
            stream = events_stream(place.site)
            await opsdb.wait_applied(stream, (await client.jetstream().stream_info(stream)).state.last_seq)

        async def know_more() -> None:
            await say(road, late)
            await applied()
            await rival.seal_ready()

        guard.interruption = know_more
        await applied()
        await sealer.seal_ready()
    (bundle,) = await road.events_of(place, BundleSealed)
    assert set(carried([bundle])) == ids([early, late])
