"""Damaged and missing archive copies: written anew from the first good copy, or an alarm; never lost on the way."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import structlog
from structlog.typing import EventDict

from contracts.copies import (
    CopyDeleted,
    CopyRef,
    CopyRepaired,
    CopyScrubbed,
    CopyUnrepairable,
    DeletionRefused,
)
from contracts.envelope import Envelope
from contracts.packages import PackageArchived
from contracts.problems import Problem
from contracts.states import CopyKind
from contracts.subjects import events_stream
from libs.bus.delivery import Delivery
from libs.opsdb.reader import OpsDbReader
from libs.service.archives import open_archives
from libs.service.service import Place
from libs.sites.models import S3Location
from libs.storage.s3 import S3Store
from libs.storage.s3_settings import MIB
from services.archiver.archiving import Archive
from services.archiver.asking_back import Origin
from services.archiver.fetching import Fetcher
from services.archiver.repairing import Repairer
from tests.support.archives import TriedOnce, make_bucket, put, with_remote, with_second
from tests.support.road import Road
from tests.support.rot import Rot
from tests.support.s3_proxy import Fault, S3Proxy
from tests.support.scrubbed import archive_of, archived, copy_row, rot, unread, with_archive
from tests.support.sealed import buffer_of, flip
from tests.support.victims import victim

pytestmark = pytest.mark.integration

MENDING = ("projector", "archiver")
FOUND = Problem(code="package_checksum", reason="another sha256", remedy="Nothing.")


def ref(one: PackageArchived) -> CopyRef:
    return CopyRef(
        kind=CopyKind.RAW_DATA_PACKAGE,
        entity_id=one.package.package_id,
        location=one.location,
        path=one.key,
        size=one.package.size,
    )


def finding(one: PackageArchived, problem: Problem | None = FOUND) -> CopyScrubbed:
    return CopyScrubbed(copy_ref=ref(one), scrubbed_at=datetime.now(UTC), problem=problem)


async def found(road: Road, one: PackageArchived, problem: Problem = FOUND) -> CopyScrubbed:
    """A scrub finds a copy damaged."""
    event = finding(one, problem)
    await road.publisher(road.centre, "verifier").publish([event])
    return event


async def content(place: Place, one: PackageArchived, key: str | None = None) -> bytes:
    async with S3Store(place.s3(one.location)) as store, store.open_stream(key or one.key) as stream:
        return b"".join([block async for block in stream])


async def is_whole(place: Place, one: PackageArchived) -> bool:
    return hashlib.sha256(await content(place, one)).hexdigest() == one.package.sha256


async def overwrite(place: Place, one: PackageArchived, data: bytes, sha256: str | None = None) -> None:
    """Other bytes under the key; they declare the package's own checksum, as a rotten object does."""
    await put(place, one.location, one.key, data, one.package.sha256 if sha256 is None else sha256)


def in_buffer(road: Road, one: PackageArchived) -> Path:
    return buffer_of(road, road.centre.site) / one.buffer_path


async def clear(road: Road, one: PackageArchived) -> bytes:
    """The janitor has cleared the BUFFER; what was there."""
    path = in_buffer(road, one)
    data = path.read_bytes()
    path.unlink()
    copy = ref(one).model_copy(update={"location": one.buffer, "path": one.buffer_path})
    gone = CopyDeleted(location=one.buffer, batch=uuid4(), deleted_at=datetime.now(UTC), copies=(copy,))
    await road.publisher(road.centre, "janitor").publish([gone])
    return data


async def repaired(road: Road, *, place: Place | None = None, count: int = 1) -> list[CopyRepaired]:
    async with road.running(place or road.centre, *MENDING):
        return await road.wait_for(road.centre, CopyRepaired, count=count)


async def nothing_left(place: Place, one: PackageArchived) -> bool:
    async with S3Store(place.s3(one.location)) as store:
        return not [key async for key in store.unfinished()]


async def test_what_the_scrub_finds_is_written_anew_from_the_buffer(road: Road) -> None:
    """The whole way: the server's own file rots, the scrub reads it, the archiver mends it, the next scrub agrees."""
    ways = [(how, size) for how in (Rot.FLIPPED, Rot.CUT, Rot.LOST) for size in (9000, 17 * MIB)]
    contents = [{"a.fits": os.urandom(size)} for _, size in ways]
    copies = await archived(road, *contents, place=unread(road.centre))
    for one, (how, _) in zip(copies, ways, strict=True):
        rot(road, one.key, how)
    async with road.running(road.centre, "projector", "verifier", "archiver"):
        events = await road.wait_for(road.centre, CopyRepaired, count=len(ways))
        for one in copies:
            await road.eventually(partial(_is_on_record_as_whole, road, one), what="the repair on record")
    scrubbed = {
        one.event_id(road.centre.site): one for one in await road.events_of(road.centre, CopyScrubbed)
    }
    assert {event.copy_ref: event.repaired_from for event in events} == {
        ref(one): one.buffer for one in copies
    }
    for event in events:
        cause = scrubbed[event.cause]
        assert cause.problem is not None
        assert cause.copy_ref == event.copy_ref
    for one in copies:
        assert await is_whole(road.centre, one)
    assert await nothing_left(road.centre, copies[0])
    assert not await road.letters(road.centre)
    assert not await road.events_of(road.centre, CopyUnrepairable)


async def _is_on_record_as_whole(road: Road, one: PackageArchived) -> bool:
    row = await copy_row(road, one)
    return row["scrub_problem_code"] is None and row["repaired_from"] is not None


async def test_another_archive_of_the_site_is_the_next_source(road: Road) -> None:
    place = with_second(road)
    await make_bucket(place, f"{place.site}-second")
    first, second = sorted(
        await archived(road, {"a": b"a" * 9000}, place=place), key=lambda one: one.location
    )
    await clear(road, first)
    await overwrite(place, first, b"rotten")
    await found(road, first)
    [event] = await repaired(road, place=place)
    assert event.repaired_from == second.location
    assert await is_whole(place, first)
    assert list((buffer_of(road, place.site) / ".repairs").iterdir()) == []


async def test_an_archive_of_another_site_is_the_last_source(road: Road) -> None:
    place = with_remote(road)
    remote = f"{road.telescope.site}-archive"
    await make_bucket(place, remote)
    [one] = await archived(road, {"a": b"a" * 9000})
    there = one.model_copy(update={"location": remote, "bucket": place.s3(remote).bucket})
    async with S3Store(place.s3(remote)) as store:
        await store.upload_file(
            in_buffer(road, one), one.key, size=one.package.size, expected_sha256=one.package.sha256
        )
    await road.publisher(road.telescope).publish([there])
    await clear(road, one)
    await overwrite(place, one, b"rotten")
    await found(road, one)
    [event] = await repaired(road, place=place)
    assert event.repaired_from == remote
    assert await is_whole(place, one)


async def test_a_copy_that_is_rotten_itself_is_no_source(road: Road) -> None:
    place = with_second(road)
    await make_bucket(place, f"{place.site}-second")
    first, second = sorted(
        await archived(road, {"a": b"a" * 9000}, place=place), key=lambda one: one.location
    )
    flip(in_buffer(road, first), 700)
    await overwrite(place, first, b"rotten")
    await found(road, first)
    [event] = await repaired(road, place=place)
    assert event.repaired_from == second.location
    assert await is_whole(place, first)
    said = await road.events_of(road.centre, CopyScrubbed)
    assert [one.copy_ref.location for one in said] == [first.location, first.buffer]
    assert said[1].problem is not None
    assert said[1].problem.code == "checksum_mismatch"


async def test_without_a_good_copy_the_damaged_one_is_kept_and_an_alarm_is_raised(road: Road) -> None:
    [one] = await archived(road, {"a": b"a" * 9000})
    await clear(road, one)
    rotten = os.urandom(one.package.size)
    await overwrite(road.centre, one, rotten)
    await found(road, one)
    async with road.running(road.centre, *MENDING):
        [alarm] = await road.wait_for(road.centre, CopyUnrepairable)
        await road.eventually(lambda: _is_alarming(road, one), what="the alarm on record")
    assert alarm.problem.code == "no_good_copy"
    assert one.buffer_path in alarm.problem.remedy
    assert await content(road.centre, one) == rotten
    assert not await road.letters(road.centre)


async def _is_alarming(road: Road, one: PackageArchived) -> bool:
    row = await copy_row(road, one)
    return row["unrepairable_at"] is not None and row["scrub_problem_code"] is not None


async def test_a_person_puts_a_whole_copy_back(road: Road) -> None:
    [one] = await archived(road, {"a": b"a" * 9000})
    data = await clear(road, one)
    await overwrite(road.centre, one, b"rotten")
    await found(road, one)
    async with road.running(road.centre, *MENDING):
        await road.wait_for(road.centre, CopyUnrepairable)
        in_buffer(road, one).write_bytes(data)
        await found(road, one)
        [event] = await road.wait_for(road.centre, CopyRepaired)
        await road.eventually(lambda: _is_on_record_as_whole(road, one), what="the repair on record")
    assert event.repaired_from == one.buffer
    assert (await copy_row(road, one))["unrepairable_at"] is None


def _is_told(told: list[EventDict], event: str, code: str) -> bool:
    return any(line["event"] == event and line["code"] == code for line in told)


async def test_a_source_that_is_away_is_waited_for(road: Road) -> None:
    """Neither the damaged copy nor the one that cannot be asked is given up."""
    place = with_second(road)
    second = f"{place.site}-second"
    await make_bucket(place, second)
    first, _ = sorted(await archived(road, {"a": b"a" * 9000}, place=place), key=lambda one: one.location)
    await clear(road, first)
    await overwrite(place, first, b"rotten")
    await found(road, first)
    away = TriedOnce.of(with_archive(place, second, endpoint="http://127.0.0.1:9"))
    with structlog.testing.capture_logs() as told:
        async with road.running(away, *MENDING):
            await road.eventually(
                lambda: _is_told(told, "redelivered", "s3_unreachable"), what="a second try"
            )
    assert await content(place, first) == b"rotten"
    assert not await road.events_of(road.centre, CopyUnrepairable)
    [event] = await repaired(road, place=place)
    assert event.repaired_from == second


async def test_an_archive_that_is_away_itself_is_waited_for(road: Road) -> None:
    [one] = await archived(road, {"a": b"a" * 9000})
    await overwrite(road.centre, one, b"rotten")
    await found(road, one)
    away = TriedOnce.of(with_archive(road.centre, one.location, endpoint="http://127.0.0.1:9"))
    with structlog.testing.capture_logs() as told:
        async with road.running(away, *MENDING):
            await road.eventually(
                lambda: _is_told(told, "redelivered", "s3_unreachable"), what="a second try"
            )
    assert not await road.events_of(road.centre, CopyUnrepairable)
    await repaired(road)
    assert await is_whole(road.centre, one)


async def test_somebody_elses_object_is_never_overwritten(road: Road) -> None:
    [one] = await archived(road, {"a": b"a" * 9000})
    await overwrite(road.centre, one, b"precious", sha256=hashlib.sha256(b"precious").hexdigest())
    await found(road, one)
    async with road.running(road.centre, *MENDING):
        [alarm] = await road.wait_for(road.centre, CopyUnrepairable)
    assert alarm.problem.code == "object_differs"
    assert await content(road.centre, one) == b"precious"


async def test_damage_that_is_not_found_again_is_off_the_record(road: Road) -> None:
    """The scrub's memory was at fault, or somebody mended it by hand: nothing is overwritten."""
    [one] = await archived(road, {"a": b"a" * 9000})
    async with S3Store(road.centre.s3(one.location)) as store:
        before = await store.head(one.key)
        await found(road, one)
        async with road.running(road.centre, *MENDING):
            _, again = await road.wait_for(road.centre, CopyScrubbed, count=2)
        after = await store.head(one.key)
    assert again.problem is None
    assert before == after
    assert not await road.events_of(road.centre, CopyRepaired)


async def test_a_sidecar_is_written_as_it_was(road: Road) -> None:
    copies = await archived(road, {"a": b"a" * 9000}, {"b": b"b"})
    before = [await content(road.centre, one, one.sidecar_key) for one in copies]
    for one, code in zip(copies, ("sidecar_missing", "sidecar_damaged"), strict=True):
        async with S3Store(road.centre.s3(one.location)) as store:
            await store.put_json(one.sidecar_key, {"not": "it"})
        await found(road, one, FOUND.model_copy(update={"code": code}))
    events = await repaired(road, count=2)
    assert {event.copy_ref: event.repaired_from for event in events} == {
        ref(one): one.location for one in copies
    }
    assert [await content(road.centre, one, one.sidecar_key) for one in copies] == before


@asynccontextmanager
async def repairer_of(road: Road) -> AsyncIterator[Repairer]:
    place = road.centre
    settings = place.settings.locations[archive_of(place)]
    assert isinstance(settings, S3Location)
    async with open_archives(place) as stores, OpsDbReader.open(place.opsdb_dsn()) as opsdb:
        yield Repairer(
            place=place,
            targets={archive_of(place): Archive(archive_of(place), settings, stores[archive_of(place)])},
            fetcher=Fetcher(place=place, stores=stores, breakers=road.breakers(place)),
            origin=Origin(opsdb=opsdb, publisher=road.publisher(place, "archiver"), place=place),
            opsdb=opsdb,
            client=road.client(place),
            breakers=road.breakers(place),
        )


async def test_killed_after_it_wrote_it_says_what_it_had_done(road: Road) -> None:
    """The object is whole and says itself what it was written from; the BUFFER has been cleared since."""
    [one] = await archived(road, {"a": b"a" * 9000})
    await overwrite(road.centre, one, b"rotten")
    event = finding(one)
    envelope = Envelope.of(event, site=road.centre.site, service="verifier", time=datetime.now(UTC))
    sequence = await road.publisher(road.centre, "verifier").publish([event])
    async with repairer_of(road) as repairer, road.running(road.centre, "projector"):
        delivery = Delivery(envelope, events_stream(road.centre.site), sequence, 1)
        known = "SELECT FROM physical_copy WHERE scrub_problem_code IS NOT NULL"
        await road.eventually(lambda: road.query(road.centre, known), what="the damage on record")
        [first] = await repairer.repair(ref(one), delivery)
    in_buffer(road, one).unlink()
    [again] = await repaired(road)
    assert isinstance(first, CopyRepaired)
    assert again.event_id("x") == first.event_id("x")
    assert again.repaired_from == one.buffer


async def test_killed_in_the_middle_it_mends_once(road: Road) -> None:
    [one] = await archived(road, {"a": os.urandom(17 * MIB)})
    await overwrite(road.centre, one, b"rotten")
    await found(road, one)
    with S3Proxy(road.servers.s3_endpoint, patience_s=60.0) as proxy:
        proxy.choice = lambda head: Fault.SILENT if "partNumber=2" in head.target else None
        behind = with_archive(road.centre, one.location, endpoint=proxy.url)
        async with road.running(road.centre, "projector"):
            async with victim(road, behind, "archiver") as process:
                await road.eventually(lambda: proxy.happened[Fault.SILENT, "PUT"], what="an upload")
                process.kill()
                await asyncio.to_thread(process.join)
            assert await content(road.centre, one) == b"rotten"
            assert not await nothing_left(road.centre, one)
            async with road.running(road.centre, "archiver"):
                await road.wait_for(road.centre, CopyRepaired, within_s=60)
    assert await is_whole(road.centre, one)
    assert len(await road.events_of(road.centre, CopyRepaired)) == 1


async def test_what_is_found_twice_is_mended_once_and_what_rots_again_again(road: Road) -> None:
    [one] = await archived(road, {"a": b"a" * 9000})
    await overwrite(road.centre, one, b"rotten")
    for _ in range(2):
        await found(road, one)
    async with road.running(road.centre, *MENDING):
        await road.wait_for(road.centre, CopyRepaired)
        await road.eventually(lambda: _is_on_record_as_whole(road, one), what="the repair on record")
        await settled(road)
        assert len(await road.events_of(road.centre, CopyRepaired)) == 1
        await overwrite(road.centre, one, b"rotten again")
        again = await found(road, one)
        _, second = await road.wait_for(road.centre, CopyRepaired, count=2)
    assert second.cause == again.event_id(road.centre.site)
    assert await is_whole(road.centre, one)


async def settled(road: Road) -> None:
    js: Any = road.client(road.centre).jetstream()

    async def idle() -> bool:
        info = await js.consumer_info(events_stream(road.centre.site), f"{road.centre.site}_archiver_repair")
        return not info.num_pending and not info.num_ack_pending

    await road.eventually(idle, what="the repairs to be done")


async def test_every_other_copy_stays_until_the_damage_is_mended(road: Road) -> None:
    """What may be the only good copy is not cleared; as soon as the archive is whole again, it is."""
    [one] = await archived(road, {"a": b"a" * 9000})
    await overwrite(road.centre, one, b"rotten")
    await found(road, one)
    damaged = "SELECT FROM physical_copy WHERE scrub_problem_code IS NOT NULL"
    async with road.running(road.centre, "projector"):
        await road.eventually(lambda: road.query(road.centre, damaged), what="the damage on record")
        async with road.running(road.centre, "janitor"):
            [refused] = await road.wait_for(road.centre, DeletionRefused)
    [refusal] = refused.refusals
    assert (refusal.copy_ref.location, refusal.problem.code) == (one.buffer, "archive_copy_damaged")
    await repaired(road)
    assert in_buffer(road, one).exists()
    async with road.running(road.centre, "projector", "janitor"):
        [deleted] = await road.wait_for(road.centre, CopyDeleted)
    assert [copy.location for copy in deleted.copies] == [one.buffer]
    assert await is_whole(road.centre, one)
