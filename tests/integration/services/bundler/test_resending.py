"""Packages that arrived damaged, on their way through the real services until they are archived, or given up."""

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.base import Event
from contracts.bundles import BundleForwarded, BundleSealed, SealReason
from contracts.copies import CopyRepaired, CopyScrubbed, CopyUnrepairable
from contracts.envelope import Envelope
from contracts.packages import (
    PackageArchived,
    PackageCorrupted,
    PackageFailed,
    PackageRecord,
    PackageSealed,
    PackageVerified,
)
from contracts.subjects import events_stream
from contracts.transfers import TransferCompleted, TransferStarted
from libs.service.service import Place
from libs.storage.partials import tries_at
from tests.support.observing import START, Observation
from tests.support.road import Road, laid
from tests.support.sealed import buffer_of, flip
from tests.support.servers import TestServers

pytestmark = pytest.mark.integration

FILES = {"a.fits": b"A" * 5000, "sub/folder/b.fits": b"B" * 3000, "sub/ümlaut c.txt": b""}
SENDING = ("projector", "packager", "bundler", "mover")
RECEIVING = ("projector", "verifier", "archiver")
MIB = 1 << 20


@pytest.fixture
async def relayed(servers: TestServers, tmp_path: Path) -> AsyncIterator[Road]:
    """A road with a relay between its two ends."""
    async with laid(servers, tmp_path, relayed=True) as made:
        yield made


async def packaged(road: Road, files: dict[str, bytes] | None = None) -> tuple[Observation, PackageSealed]:
    """An observation that the real packager has sealed."""
    observation = Observation(road)
    await observation.observe(files or FILES)
    async with road.running(road.telescope, "projector", "packager"):
        [sealed] = await road.wait_for(road.telescope, PackageSealed)
        await road.eventually(
            lambda: road.query(road.telescope, "SELECT FROM raw_data_file WHERE sha256 IS NOT NULL"),
            what="the projection of the package",
        )
    return observation, sealed


def at(road: Road, place: Place, sealed: PackageSealed) -> Path:
    return buffer_of(road, place.site) / sealed.path


def is_whole(path: Path, package: PackageRecord) -> bool:
    return hashlib.sha256(path.read_bytes()).hexdigest() == package.sha256


async def attempts(road: Road, place: Place) -> list[tuple[SealReason, int]]:
    """Why each bundle of a place was closed, and for the how-manieth time its one package went."""
    bundles = await road.events_of(place, BundleSealed)
    return [(bundle.reason, bundle.packages[0].attempt) for bundle in bundles]


async def again(road: Road, place: Place, event: Event) -> None:
    """Store an event once more, as long after its first storing as nobody looks for repeats."""
    headers = Envelope.of(event, site=place.site, service="test", time=START).headers()
    headers.pop("Nats-Msg-Id")
    js = road.client(place).jetstream()
    await js.publish(event.subject(place.site), event.model_dump_json().encode(), headers=headers)


async def settled(road: Road, place: Place, service: str, handler: str, origin: Place) -> None:
    """Wait until a handler has nothing left to do with another site's events."""
    js = road.client(place).jetstream()

    async def idle() -> bool:
        info = await js.consumer_info(events_stream(origin.site), f"{place.site}_{service}_{handler}")
        return not info.num_pending and not info.num_ack_pending

    await road.eventually(idle, what=f"{service}.{handler} to be idle")


@asynccontextmanager
async def running(road: Road, *services: tuple[Place, Sequence[str]]) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for place, names in services:
            await stack.enter_async_context(road.running(place, *names))
        yield


async def code_of_letter(road: Road, place: Place) -> str:
    [letter] = await road.letters(place)
    return str(json.loads(letter["chasqui-dead-problem"])["code"])


async def test_damaged_in_the_destinations_buffer_it_travels_again_alone(road: Road) -> None:
    _, sealed = await packaged(road)
    async with road.running(road.telescope, *SENDING):
        await road.wait_for(road.telescope, TransferCompleted)
        flip(at(road, road.centre, sealed), 700)
        async with road.running(road.centre, *RECEIVING):
            [archived] = await road.wait_for(road.centre, PackageArchived)
    assert archived.package == sealed.package
    assert await attempts(road, road.telescope) == [(SealReason.IDLE_ROUTE, 1), (SealReason.REPAIR, 2)]
    assert not await road.events_of(road.telescope, CopyScrubbed)
    assert is_whole(at(road, road.centre, sealed), sealed.package)


async def test_damaged_in_transit_it_travels_again(road: Road) -> None:
    """A byte of the growing file at the other end is changed while the rest still travels."""
    _, sealed = await packaged(road, {"large.fits": bytes(12 * MIB)})
    deployment = road.telescope.deployment
    slow = {name: one.model_copy(update={"rate_limit": 6 * MIB}) for name, one in deployment.routes.items()}
    place = replace(road.telescope, deployment=deployment.model_copy(update={"routes": slow}))
    final = at(road, road.centre, sealed)

    def growing() -> bool:
        return any(partial.stat().st_blocks > 4096 for partial in tries_at(final))

    async with running(road, (place, ("projector", "bundler", "mover")), (road.centre, RECEIVING)):
        await road.eventually(growing, what="some bytes")
        flip(tries_at(final)[0], MIB)
        await road.wait_for(road.centre, PackageCorrupted)
        [archived] = await road.wait_for(road.centre, PackageArchived, within_s=60)
    assert archived.package == sealed.package
    assert await attempts(road, place) == [(SealReason.IDLE_ROUTE, 1), (SealReason.REPAIR, 2)]


async def test_what_rotted_before_it_was_sent_is_built_anew_from_source(road: Road) -> None:
    _, sealed = await packaged(road)
    flip(at(road, road.telescope, sealed), 700)
    async with running(road, (road.telescope, SENDING), (road.centre, RECEIVING)):
        [archived] = await road.wait_for(road.centre, PackageArchived)
        [scrubbed] = await road.events_of(road.telescope, CopyScrubbed)
        [repaired] = await road.events_of(road.telescope, CopyRepaired)
        await road.eventually(lambda: _is_on_record_as_whole(road), what="the repair on record")
    assert scrubbed.problem is not None
    assert scrubbed.problem.code == "package_checksum"
    assert scrubbed.copy_ref.location == sealed.buffer
    assert (repaired.repaired_from, repaired.sha256) == (sealed.source, sealed.package.sha256)
    assert repaired.cause == scrubbed.event_id(road.telescope.site)
    assert archived.package == sealed.package
    assert await attempts(road, road.telescope) == [(SealReason.IDLE_ROUTE, 1), (SealReason.REPAIR, 2)]
    assert is_whole(at(road, road.telescope, sealed), sealed.package)
    assert not await road.letters(road.telescope)


async def _is_on_record_as_whole(road: Road) -> bool:
    [row] = await road.query(
        road.telescope,
        "SELECT scrub_problem_code, repaired_from FROM physical_copy WHERE location = $1",
        f"{road.telescope.site}-buffer",
    )
    return row["scrub_problem_code"] is None and row["repaired_from"] == f"{road.telescope.site}-source"


async def test_a_copy_that_is_gone_from_the_origin_is_built_anew(road: Road) -> None:
    _, sealed = await packaged(road)
    async with running(road, (road.telescope, ("projector", "bundler", "mover"))):
        await road.wait_for(road.telescope, TransferCompleted)
    flip(at(road, road.centre, sealed), 700)
    at(road, road.telescope, sealed).unlink()
    async with running(road, (road.telescope, SENDING), (road.centre, RECEIVING)):
        await road.wait_for(road.centre, PackageArchived)
    [scrubbed] = await road.events_of(road.telescope, CopyScrubbed)
    assert scrubbed.problem is not None
    assert scrubbed.problem.code == "package_missing"


async def test_what_nobody_has_whole_any_more_is_given_up_with_a_remedy(road: Road) -> None:
    observation, sealed = await packaged(road)
    rotten = at(road, road.telescope, sealed)
    flip(rotten, 700)
    before = rotten.read_bytes()
    [*_, lost] = observation.files
    observation.on_disk(lost).unlink()
    async with running(road, (road.telescope, SENDING), (road.centre, RECEIVING)):
        [failed] = await road.wait_for(road.telescope, PackageFailed)
        await road.eventually(lambda: road.letters(road.telescope), what="a dead letter")
    [unrepairable] = await road.events_of(road.telescope, CopyUnrepairable)
    assert "file_vanished" in unrepairable.problem.reason
    assert lost in unrepairable.problem.reason
    assert failed.problem.code == await code_of_letter(road, road.telescope) == "origin_copy_lost"
    assert sealed.path in failed.problem.remedy
    assert rotten.read_bytes() == before
    assert await attempts(road, road.telescope) == [(SealReason.IDLE_ROUTE, 1)]
    assert not await road.events_of(road.centre, PackageArchived)


async def test_files_with_other_bytes_make_no_package(road: Road) -> None:
    """Same size and time at SOURCE, other content: what would be built is not what was sealed."""
    observation, sealed = await packaged(road)
    flip(at(road, road.telescope, sealed), 700)
    flip(observation.on_disk(next(iter(observation.files))), 10)
    async with running(road, (road.telescope, SENDING), (road.centre, RECEIVING)):
        [unrepairable] = await road.wait_for(road.telescope, CopyUnrepairable)
    assert "checksum_mismatch" in unrepairable.problem.reason
    assert not is_whole(at(road, road.telescope, sealed), sealed.package)


async def test_after_three_times_it_is_given_up(road: Road) -> None:
    _, sealed = await packaged(road)
    async with running(road, (road.telescope, SENDING)):
        for count in (1, 2, 3):
            await road.wait_for(road.telescope, TransferCompleted, count=count)
            flip(at(road, road.centre, sealed), 700)
            async with road.running(road.centre, "projector", "verifier"):
                corrupted = await road.wait_for(road.centre, PackageCorrupted, count=count)
            assert corrupted[-1].attempt == count
        [failed] = await road.wait_for(road.telescope, PackageFailed)
        await road.eventually(lambda: road.letters(road.telescope), what="a dead letter")
        state = (
            "SELECT FROM raw_data_package WHERE state = 'failed' AND problem_code = 'package_undeliverable'"
        )
        await road.eventually(lambda: road.query(road.telescope, state), what="its state")
    assert failed.cause == corrupted[-1].event_id(road.centre.site)
    assert failed.problem.code == await code_of_letter(road, road.telescope) == "package_undeliverable"
    assert [attempt for _, attempt in await attempts(road, road.telescope)] == [1, 2, 3]


async def test_what_is_said_twice_or_late_sends_nothing_more(road: Road) -> None:
    _, sealed = await packaged(road)
    async with running(road, (road.telescope, SENDING)):
        for count in (1, 2):
            await road.wait_for(road.telescope, TransferCompleted, count=count)
            flip(at(road, road.centre, sealed), 700)
            async with road.running(road.centre, "projector", "verifier"):
                corrupted = await road.wait_for(road.centre, PackageCorrupted, count=count)
        await road.wait_for(road.telescope, TransferCompleted, count=3)
        bundled = "SELECT FROM bundled_package WHERE attempt = 3"
        await road.eventually(lambda: road.query(road.telescope, bundled), what="the third bundle on record")
        for event in (corrupted[1], corrupted[0], corrupted[0], corrupted[1]):
            await again(road, road.centre, event)
        await settled(road, road.telescope, "bundler", "repair", road.centre)
    assert [attempt for _, attempt in await attempts(road, road.telescope)] == [1, 2, 3]
    assert len(await road.events_of(road.telescope, TransferStarted)) == 3
    assert not await road.letters(road.telescope)


async def test_another_sites_package_is_not_ours_to_send(road: Road) -> None:
    _, sealed = await packaged(road)
    async with running(road, (road.telescope, ("projector", "bundler", "mover"))):
        await road.wait_for(road.telescope, TransferCompleted)
        flip(at(road, road.centre, sealed), 700)
        async with road.running(road.centre, "projector", "verifier"):
            [corrupted] = await road.wait_for(road.centre, PackageCorrupted)
        await road.wait_for(road.telescope, BundleSealed, count=2)
        elsewhere = corrupted.model_copy(update={"origin": "elsewhere", "attempt": 2})
        await again(road, road.centre, elsewhere)
        await settled(road, road.telescope, "bundler", "repair", road.centre)
    assert len(await road.events_of(road.telescope, BundleSealed)) == 2


def relay_of(road: Road) -> Place:
    assert road.relay is not None
    return road.relay


RELAYING = ("projector", "verifier", "bundler", "mover")


async def test_damaged_before_a_relay_it_is_sent_to_the_relay_again(relayed: Road) -> None:
    road, relay = relayed, relay_of(relayed)
    _, sealed = await packaged(road)
    async with road.running(road.telescope, *SENDING):
        await road.wait_for(road.telescope, TransferCompleted)
        flip(at(road, relay, sealed), 700)
        async with running(road, (relay, RELAYING), (road.centre, RECEIVING)):
            [archived] = await road.wait_for(road.centre, PackageArchived)
    assert archived.package == sealed.package
    [corrupted] = await road.events_of(relay, PackageCorrupted)
    assert corrupted.origin == road.telescope.site
    [forwarded] = await road.events_of(relay, BundleForwarded)
    assert forwarded.packages[0].attempt == 2
    assert not await road.events_of(relay, BundleSealed)


async def test_damaged_behind_a_relay_it_is_sent_by_the_relay_again(relayed: Road) -> None:
    road, relay = relayed, relay_of(relayed)
    _, sealed = await packaged(road)
    async with running(road, (road.telescope, SENDING), (relay, RELAYING)):
        await road.wait_for(relay, TransferCompleted)
        flip(at(road, road.centre, sealed), 700)
        async with road.running(road.centre, *RECEIVING):
            await road.wait_for(road.centre, PackageArchived)
    assert await attempts(road, relay) == [(SealReason.REPAIR, 2)]
    assert len(await road.events_of(road.telescope, BundleSealed)) == 1


async def test_damaged_on_both_hops_it_arrives_all_the_same(relayed: Road) -> None:
    """The repair of the first hop travels on and is damaged on the second: two repairs, not one taken for a repeat."""
    road, relay = relayed, relay_of(relayed)
    _, sealed = await packaged(road)
    async with road.running(road.telescope, *SENDING):
        await road.wait_for(road.telescope, TransferCompleted)
        flip(at(road, relay, sealed), 700)
        async with road.running(relay, *RELAYING):
            await road.wait_for(relay, TransferCompleted)
            flip(at(road, road.centre, sealed), 700)
            async with road.running(road.centre, *RECEIVING):
                [archived] = await road.wait_for(road.centre, PackageArchived)
    assert archived.package == sealed.package
    assert await attempts(road, road.telescope) == [(SealReason.IDLE_ROUTE, 1), (SealReason.REPAIR, 2)]
    assert await attempts(road, relay) == [(SealReason.REPAIR, 3)]


async def test_what_rotted_at_a_relay_is_sent_by_the_site_before(relayed: Road) -> None:
    road, relay = relayed, relay_of(relayed)
    _, sealed = await packaged(road)
    async with road.running(road.telescope, *SENDING):
        async with road.running(relay, "projector", "verifier"):
            await road.wait_for(relay, PackageVerified)
        flip(at(road, relay, sealed), 700)
        async with running(road, (relay, RELAYING), (road.centre, RECEIVING)):
            [archived] = await road.wait_for(road.centre, PackageArchived)
    assert archived.package == sealed.package
    [scrubbed] = await road.events_of(relay, CopyScrubbed)
    assert scrubbed.copy_ref.location == f"{relay.site}-buffer"
    [passed_back] = await road.events_of(relay, PackageCorrupted)
    assert (passed_back.location, passed_back.origin) == (f"{relay.site}-buffer", road.telescope.site)
    assert await attempts(road, road.telescope) == [(SealReason.IDLE_ROUTE, 1), (SealReason.REPAIR, 2)]
    assert not await road.events_of(relay, BundleSealed)
