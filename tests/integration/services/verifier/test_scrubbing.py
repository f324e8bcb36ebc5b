"""The scrub of an archive: by bytes, longest unread first, at its rate, and never a verdict on what cannot be read."""

import asyncio
import os
import time
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import structlog
from structlog.typing import EventDict

from contracts.copies import CopyRef, CopyScrubbed
from contracts.packages import PackageArchived
from contracts.states import CopyKind
from contracts.subjects import events_stream, progress_bucket
from libs.bus.buckets import read_bucket
from libs.copies.archived import examine_object
from libs.errors import Retriable
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from libs.sites.credentials import Credentials, secret_key
from libs.sites.scrubs import ScrubSettings
from libs.storage.s3 import S3Store
from libs.storage.s3_objects import ObjectFacts
from libs.storage.s3_settings import MIB
from services.verifier.scrubbing import Scrubber
from tests.support.archives import TriedOnce
from tests.support.http_wire import Head
from tests.support.road import Road
from tests.support.rot import Rot
from tests.support.s3_proxy import Fault, S3Proxy
from tests.support.scrubbed import archive_of, archived, copy_row, rot, unread, with_archive
from tests.support.victims import victim

pytestmark = pytest.mark.integration

SCRUBBING = ("projector", "verifier")


def ref(one: PackageArchived) -> CopyRef:
    return CopyRef(
        kind=CopyKind.RAW_DATA_PACKAGE,
        entity_id=one.package.package_id,
        location=one.location,
        path=one.key,
        size=one.package.size,
    )


async def read_before(road: Road, one: PackageArchived, ago: timedelta) -> None:
    """A scrub has read it, so long ago."""
    event = CopyScrubbed(copy_ref=ref(one), scrubbed_at=datetime.now(UTC) - ago)
    sequence = await road.publisher(road.centre).publish([event])
    async with road.running(road.centre, "projector"), OpsDbReader.open(road.centre.opsdb_dsn()) as opsdb:
        await opsdb.wait_applied(events_stream(road.centre.site), sequence)


async def scrubbed(road: Road, *, count: int = 1, place: Place | None = None) -> list[CopyScrubbed]:
    """Scrub the centre's archive until there are so many events."""
    async with road.running(place or road.centre, *SCRUBBING):
        return await road.wait_for(road.centre, CopyScrubbed, count=count)


def codes(events: list[CopyScrubbed]) -> list[str | None]:
    return [event.problem.code if event.problem else None for event in events]


async def test_what_was_never_read_is_read_once(road: Road) -> None:
    copies = await archived(road, {"a": b"1"}, {"b": b"22"}, place=unread(road.centre))
    async with road.running(road.centre, *SCRUBBING):
        events = await road.wait_for(road.centre, CopyScrubbed, count=2)
        await asyncio.sleep(1.5)
        assert len(await road.events_of(road.centre, CopyScrubbed)) == 2
    assert {event.copy_ref for event in events} == {ref(one) for one in copies}
    assert codes(events) == [None, None]
    row = await copy_row(road, copies[0])
    assert row["scrubbed_at"] == row["verified_at"] == events[0].scrubbed_at or row["scrubbed_at"]


async def test_what_was_read_within_the_period_is_left_alone(road: Road) -> None:
    """A fresh proof by bytes is a reading."""
    await archived(road)
    async with road.running(road.centre, *SCRUBBING):
        await asyncio.sleep(1.5)
    assert not await road.events_of(road.centre, CopyScrubbed)


async def test_the_copy_that_was_unread_for_longest_is_first(road: Road) -> None:
    copies = await archived(
        road, {"a": b"1"}, {"b": b"2"}, {"c": b"3"}, {"d": b"4"}, place=unread(road.centre)
    )
    order = [copies[2], copies[3], copies[0], copies[1]]
    for one, days in zip(order[1:], (30, 20, 10), strict=True):
        await read_before(road, one, timedelta(days=days))
    place = with_archive(road.centre, archive_of(road.centre), scrub={"period": "1d"})
    events = await scrubbed(road, count=3 + 4, place=place)
    assert [event.copy_ref for event in events[3:]] == [ref(one) for one in order]


async def test_a_reading_by_a_clock_that_was_wrong_does_not_count(road: Road) -> None:
    [one] = await archived(road)
    await read_before(road, one, -timedelta(days=400))
    [_, again] = await scrubbed(road, count=2)
    assert again.scrubbed_at < datetime.now(UTC)


async def test_a_rotten_object_is_found_and_no_other_is_called_rotten(road: Road) -> None:
    """In one piece and in parts; what is said of it tells which of its files are hit."""
    small = [{f"{how.name}.fits": b"1" * 9000, "whole.fits": b"w"} for how in Rot]
    large = [{"large": os.urandom(17 * MIB)} for _ in range(2)]
    *copies, broken, incomplete, whole = await archived(
        road, *small, *large, {"b": b"2"}, place=unread(road.centre)
    )
    expected = {ref(whole): None, **dict.fromkeys((ref(broken), ref(incomplete)), "archive_copy_broken")}
    for one, how in zip(copies, Rot, strict=True):
        rot(road, one.key, how)
        expected[ref(one)] = "package_checksum" if how is Rot.FLIPPED else "archive_copy_missing"
    rot(road, broken.key, Rot.FLIPPED, part=1)
    rot(road, incomplete.key, Rot.LOST, part=1)
    events = await scrubbed(road, count=len(expected))
    found = {event.copy_ref: event.problem for event in events}
    assert {copy: problem.code if problem else None for copy, problem in found.items()} == expected
    flipped = found[ref(copies[list(Rot).index(Rot.FLIPPED)])]
    assert flipped is not None
    assert "FLIPPED.fits" in flipped.reason
    assert "whole.fits" not in flipped.reason
    async with road.running(road.centre, "projector"):
        for one in (*copies, broken, incomplete):
            code = expected[ref(one)]
            await road.eventually(partial(_is_on_record, road, one, code), what=f"{code} on record")


async def test_a_way_that_turns_bits_says_nothing_of_a_copy(road: Road) -> None:
    [one] = await archived(road, place=unread(road.centre))
    settings = road.centre.s3(one.location)
    left = 2

    def turn_bits(head: Head) -> Fault | None:
        nonlocal left
        if head.method != "GET" or not left:
            return None
        left -= 1
        return Fault.FLIPPED

    with S3Proxy(road.servers.s3_endpoint) as proxy:
        proxy.choice = turn_bits
        async with S3Store(settings.model_copy(update={"endpoint": proxy.url})) as store:
            with pytest.raises(Retriable, match="archive_misread"):
                await examine_object(store, one.key, one.package, read=lambda _: None)
            left = 1
            assert await examine_object(store, one.key, one.package, read=lambda _: None) is None
    assert left == 0


async def _is_on_record(road: Road, one: PackageArchived, code: str | None) -> bool:
    return bool((await copy_row(road, one))["scrub_problem_code"] == code)


async def test_the_sidecar_is_looked_at_too(road: Road) -> None:
    contents = [{f"{n}": bytes([n])} for n in range(5)]
    missing, misnamed, no_json, huge, other = await archived(road, *contents, place=unread(road.centre))
    async with S3Store(road.centre.s3(other.location)) as store:
        await store.delete(missing.sidecar_key)
        await store.put_json(misnamed.sidecar_key, await store.get_json(other.sidecar_key))
        rot(road, no_json.sidecar_key, Rot.FLIPPED)
        await store.put_json(huge.sidecar_key, "x" * (MIB + 1))
    found = {event.copy_ref: event.problem for event in await scrubbed(road, count=5)}
    assert {copy: problem.code if problem else None for copy, problem in found.items()} == {
        ref(missing): "sidecar_missing",
        **dict.fromkeys(map(ref, (misnamed, no_json, huge)), "sidecar_damaged"),
        ref(other): None,
    }


async def test_an_archive_that_is_away_gives_no_verdict(road: Road) -> None:
    """Its server, its bucket, or the keys to it: each time it was tried, and nothing said of the copy."""
    await archived(road, place=unread(road.centre))
    name = archive_of(road.centre)
    wrong = road.centre.credentials.joined(Credentials({secret_key(name): "wrong"}))
    ways = {
        "s3_unreachable": with_archive(road.centre, name, endpoint="http://127.0.0.1:9"),
        "bucket_missing": with_archive(road.centre, name, bucket="nobody-made-this-one"),
        "s3_credentials": Place(road.centre.site, road.centre.deployment, wrong, road.centre.state),
    }
    for code, place in ways.items():
        with structlog.testing.capture_logs() as told:
            async with road.running(TriedOnce.of(place), *SCRUBBING):
                await road.eventually(partial(_not_scrubbed, told, code), what=code)
    assert not await road.events_of(road.centre, CopyScrubbed)
    assert codes(await scrubbed(road)) == [None]


def _not_scrubbed(told: list[EventDict], code: str) -> bool:
    return any(line["event"] == "not_scrubbed" and line["code"] == code for line in told)


async def test_the_rate_is_kept_and_progress_told(road: Road) -> None:
    [one] = await archived(road, {"large": os.urandom(2 * MIB)}, place=unread(road.centre))
    rate = MIB
    place = with_archive(road.centre, one.location, scrub={"rate": rate})
    seen: list[dict[str, Any]] = []
    key = f"verifier.scrub.{one.location}"
    async with road.running(place, *SCRUBBING):
        started = time.monotonic()
        while not await road.events_of(road.centre, CopyScrubbed):
            told = await read_bucket(road.client(place), progress_bucket(place.site))
            seen += [told[key]] if key in told else []
            await asyncio.sleep(0.1)
        seconds = time.monotonic() - started
    # Reading may begin before the clock here does; it is never faster than the rate.
    assert seconds > 0.8 * one.package.size / rate
    assert seconds < 10 * one.package.size / rate
    done = [facts["done"] for facts in seen]
    assert done == sorted(done)
    assert any(0 < count < one.package.size for count in done)
    assert {(facts["work"], facts["name"], facts["total"]) for facts in seen} == {
        ("scrub", one.package.name, one.package.size)
    }


async def test_killed_in_the_middle_it_reads_again(road: Road) -> None:
    [one] = await archived(road, {"large": os.urandom(MIB)}, place=unread(road.centre))
    slow = with_archive(road.centre, one.location, scrub={"rate": MIB // 32})
    async with road.running(road.centre, "projector"):
        async with victim(road, slow, "verifier") as process:

            async def reading() -> bool:
                told = await read_bucket(road.client(slow), progress_bucket(slow.site))
                return any(facts.get("work") == "scrub" and facts["done"] > 0 for facts in told.values())

            await road.eventually(reading, what="a scrub under way")
            process.kill()
            await asyncio.to_thread(process.join)
        assert not await road.events_of(road.centre, CopyScrubbed)
        async with road.running(road.centre, "verifier"):
            events = await road.wait_for(road.centre, CopyScrubbed, within_s=60)
    assert codes(events) == [None]


async def test_one_instance_scrubs_at_a_time(road: Road) -> None:
    contents = [{f"{n}": bytes([n])} for n in range(6)]
    await archived(road, *contents, place=unread(road.centre))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(road.running(road.centre, "projector"))
        for _ in range(2):
            await stack.enter_async_context(road.running(road.centre, "verifier"))
        await road.wait_for(road.centre, CopyScrubbed, count=6)
        await asyncio.sleep(1.0)
    assert len(await road.events_of(road.centre, CopyScrubbed)) == 6


class Stubborn(S3Store):
    """A server that never hands out one object."""

    stubborn = ""

    async def head(self, key: str) -> ObjectFacts | None:
        if key == self.stubborn:
            raise Retriable("s3_busy", "503 for ever", "Wait.")
        return await super().head(key)


async def test_a_copy_that_is_never_handed_out_keeps_it_from_no_other(road: Road) -> None:
    copies = await archived(road, {"a": b"1"}, {"b": b"2"}, {"c": b"3"}, place=unread(road.centre))
    place = road.centre
    async with (
        road.running(place, "projector"),
        Stubborn(place.s3(archive_of(place))) as store,
        OpsDbReader.open(place.opsdb_dsn()) as opsdb,
    ):
        scrubber = Scrubber(
            archive_of(place),
            ScrubSettings(),
            store,
            opsdb=opsdb,
            client=road.client(place),
            publisher=road.publisher(place, "verifier"),
            breakers=road.breakers(place),
            site=place.site,
        )
        stubborn = copies[1]
        store.stubborn = stubborn.key
        for _ in range(2):
            with suppress(Retriable):  # the archive may be at fault, so the rest is read another time
                await scrubber.scrub()
    events = await road.events_of(place, CopyScrubbed)
    assert {event.copy_ref for event in events} == {ref(one) for one in copies if one is not stubborn}
