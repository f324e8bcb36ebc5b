"""Faults that were found in peers, each with a test that would find it here."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import structlog
from structlog.typing import EventDict

from contracts.copies import CopyRef, CopyScrubbed, CopyUnrepairable
from contracts.packages import PackageArchived, PackageCorrupted, PackageSealed
from contracts.states import CopyKind
from contracts.subjects import events_stream
from contracts.transfers import TransferCompleted
from libs.breakers.circuit import Pauses
from libs.breakers.shared import Breakers
from libs.opsdb.reader import OpsDbReader
from libs.storage.s3 import S3Store
from tests.support.badsector import bad_sector
from tests.support.observing import Observation
from tests.support.road import Road
from tests.support.rot import Rot
from tests.support.scrubbed import archive_of, archived, rot, unread, with_archive
from tests.support.sealed import FILES, buffer_of

pytestmark = pytest.mark.integration

CONDEMNED = "SELECT FROM physical_copy WHERE scrub_problem_code IS NOT NULL OR unrepairable_at IS NOT NULL"
SENDING = ("projector", "packager", "bundler", "mover")


async def nothing_is_condemned(road: Road) -> None:
    """No site has said that any copy is bad, and none has it on record."""
    for place in (road.telescope, road.centre):
        for kind in (PackageCorrupted, CopyUnrepairable):
            assert not await road.events_of(place, kind), kind.__name__
        assert not [one for one in await road.events_of(place, CopyScrubbed) if one.problem]
        assert not await road.query(place, CONDEMNED)
        assert not await road.letters(place)


def _waits(told: list[EventDict], *codes: str) -> bool:
    """Whether something is waited for because of each of these faults."""
    return {*codes} <= {line.get("code") for line in told}


def _is_not_archived(told: list[EventDict]) -> bool:
    return any(line["event"] == "not_archived" for line in told)


async def test_fault_5_a_destination_that_fails_makes_no_copy_bad_anywhere(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the destination's disk gives EIO, then its archive cannot be reached: both are waited for."""
    monkeypatch.setattr("libs.service.service.Breakers", partial(Breakers, pauses=Pauses(first_s=0.5)))
    await archived(road, {"old": b"archived before"}, place=unread(road.centre))
    await Observation(road).observe(FILES)
    away = with_archive(unread(road.centre), archive_of(road.centre), endpoint="http://127.0.0.1:9")
    async with road.running(road.telescope, *SENDING):
        await road.wait_for(road.telescope, TransferCompleted)
        [sealed] = [
            one
            for one in await road.events_of(road.telescope, PackageSealed)
            if one.package.provenance.target is not None and one.package.file_count == len(FILES)
        ]
        arrived = buffer_of(road, road.centre.site) / sealed.path
        with ExitStack() as damage, structlog.testing.capture_logs() as told:
            damage.enter_context(bad_sector(arrived))
            async with road.running(away, "projector", "verifier", "archiver"):
                await road.eventually(partial(_waits, told, "storage_unavailable", "s3_unreachable"))
                await nothing_is_condemned(road)
                damage.close()
                await road.eventually(partial(_is_not_archived, told))
                await nothing_is_condemned(road)
        async with road.running(unread(road.centre), "projector", "verifier", "archiver"):
            await road.wait_for(road.centre, PackageArchived, count=2, within_s=90)
            await road.wait_for(road.centre, CopyScrubbed)
    await nothing_is_condemned(road)


async def test_fault_8_a_scrub_reads_old_copies_by_their_bytes(road: Road) -> None:
    """The copy that rots is the one nobody read for longest, and all that the server says of it stays as it was."""
    old, *recent = await archived(
        road, {"old": b"o" * 9000}, {"a": b"1"}, {"b": b"2"}, place=unread(road.centre)
    )
    now = datetime.now(UTC)
    for one, days in ((old, 400), *((one, 200) for one in recent)):
        ref = CopyRef(
            kind=CopyKind.RAW_DATA_PACKAGE,
            entity_id=one.package.package_id,
            location=one.location,
            path=one.key,
            size=one.package.size,
        )
        event = CopyScrubbed(copy_ref=ref, scrubbed_at=now - timedelta(days=days))
        sequence = await road.publisher(road.centre).publish([event])
    async with S3Store(road.centre.s3(old.location)) as store:
        before = await store.head(old.key)
        rot(road, old.key, Rot.FLIPPED)
        assert await store.head(old.key) == before
    async with road.running(road.centre, "projector"):
        async with OpsDbReader.open(road.centre.opsdb_dsn()) as opsdb:
            await opsdb.wait_applied(events_stream(road.centre.site), sequence, timeout=20)
        async with road.running(road.centre, "verifier"):
            events = await road.wait_for(road.centre, CopyScrubbed, count=3 + 3)
    first = events[3]
    assert first.copy_ref.entity_id == old.package.package_id
    assert first.problem is not None
    assert first.problem.code == "package_checksum"
    assert [one.problem for one in events[4:]] == [None, None]
