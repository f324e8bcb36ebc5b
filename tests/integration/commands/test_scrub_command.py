"""chasqui scrub against sites that really run: the report, single packages, and reading them now."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from commands.scrub import Wanted, scrub
from contracts.copies import CopyRef, CopyRepaired, CopyScrubbed, CopyUnrepairable
from contracts.packages import PackageArchived
from contracts.problems import Problem
from contracts.states import CopyKind
from contracts.subjects import events_stream
from libs.errors import UserError
from libs.insight.scrubs import scrub_reports
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from libs.sites.running import Running, announced
from libs.sites.workdir import Workdir
from tests.support.road import Road
from tests.support.rot import Rot
from tests.support.scrubbed import archived, rot, unread, with_archive

pytestmark = pytest.mark.integration

FOUND = Problem(code="package_checksum", reason="another sha256", remedy="Nothing.")


@asynccontextmanager
async def up(road: Road, tmp_path: Path, place: Place | None = None) -> AsyncIterator[Workdir]:
    """The data centre as `up` would announce it, its projector running."""
    place, workdir = place or road.centre, Workdir(tmp_path / "work")
    running = Running.here(place.deployment, (place.site,), {})
    async with road.running(place, "projector"):
        with announced(workdir, running, place.credentials):
            yield workdir


async def asked(workdir: Workdir, wanted: Wanted) -> tuple[int, Any]:
    console = Console(file=io.StringIO(), width=160)
    status = await scrub(workdir, wanted, as_json=True, console=console)
    assert isinstance(console.file, io.StringIO)
    return status, json.loads(console.file.getvalue())


async def shown(workdir: Workdir, wanted: Wanted) -> tuple[int, str]:
    console = Console(file=io.StringIO(), width=200)
    status = await scrub(workdir, wanted, console=console)
    assert isinstance(console.file, io.StringIO)
    return status, console.file.getvalue()


def ref(one: PackageArchived) -> CopyRef:
    return CopyRef(
        kind=CopyKind.RAW_DATA_PACKAGE,
        entity_id=one.package.package_id,
        location=one.location,
        path=one.key,
        size=one.package.size,
    )


async def applied(road: Road) -> None:
    """ops-db knows everything that was said at the centre."""
    stream = events_stream(road.centre.site)
    last = (await road.client(road.centre).jetstream().stream_info(stream)).state.last_seq
    async with OpsDbReader.open(road.centre.opsdb_dsn()) as opsdb:
        await opsdb.wait_applied(stream, last, timeout=20)


async def test_the_report_tells_coverage_age_rate_and_damage(road: Road, tmp_path: Path) -> None:
    contents = [{f"{n}.fits": bytes([n]) * 1000} for n in range(5)]
    copies = await archived(road, *contents, place=unread(road.centre))
    place = with_archive(unread(road.centre), copies[0].location, scrub={"period": "10d", "rate": "1 MB"})
    now = datetime.now(UTC)
    publisher = road.publisher(road.centre)
    fresh, stale, bad, lost, _ = copies
    mended = CopyScrubbed(copy_ref=ref(fresh), scrubbed_at=now - timedelta(days=2), problem=FOUND)
    hopeless = CopyScrubbed(copy_ref=ref(lost), scrubbed_at=now - timedelta(days=3), problem=FOUND)
    for event in (
        CopyScrubbed(copy_ref=ref(stale), scrubbed_at=now - timedelta(days=30)),
        CopyScrubbed(copy_ref=ref(bad), scrubbed_at=now - timedelta(days=1), problem=FOUND),
        mended,
        hopeless,
        CopyRepaired(
            copy_ref=ref(fresh),
            cause=mended.event_id(road.centre.site),
            repaired_from="elsewhere",
            repaired_at=now - timedelta(days=2),
            sha256=fresh.package.sha256,
        ),
        CopyUnrepairable(copy_ref=ref(lost), cause=hopeless.event_id(road.centre.site), problem=FOUND),
    ):
        await publisher.publish([event])
    async with up(road, tmp_path, place) as workdir:
        await applied(road)
        status, [report] = await asked(workdir, Wanted())
        text_status, text = await shown(workdir, Wanted())
    size = sum(one.package.size for one in copies)
    assert status == text_status == 1
    assert (report["copies"], report["size"], report["never_read"]) == (5, size, 1)
    assert (report["read_copies"], report["overdue"]) == (3, 1)
    assert report["read_size"] == fresh.package.size + bad.package.size + lost.package.size
    assert report["unread_s"] == pytest.approx(30 * 86_400, abs=600)
    assert report["needed_rate"] == pytest.approx(size / (10 * 86_400))
    assert (report["damaged"], report["unrepairable"], report["repaired"]) == (2, 1, 1)
    assert [one["package_id"] for one in report["damages"]] == [
        str(lost.package.package_id),
        str(bad.package.package_id),
    ]
    for word in ("60.0% of the copies", "30.0 d", "no good copy", "1 mended so far", bad.package.name):
        assert word in text, word


async def test_an_archive_that_is_well(road: Road, tmp_path: Path) -> None:
    await archived(road, {"a": b"1"})
    async with up(road, tmp_path) as workdir:
        status, [report] = await asked(workdir, Wanted())
    assert status == 0
    assert (report["read_copies"], report["damaged"], report["never_read"]) == (1, 0, 0)


async def test_packages_are_read_now_and_put_on_record(road: Road, tmp_path: Path) -> None:
    good, bad = await archived(road, {"a": b"1" * 9000}, {"b": b"2" * 9000}, place=unread(road.centre))
    names = (good.package.name, str(bad.package.package_id))
    rot(road, bad.key, Rot.FLIPPED)
    async with up(road, tmp_path) as workdir:
        before, unknown = await asked(workdir, Wanted(names))
        status, found = await asked(workdir, Wanted(names, now=True))
        await applied(road)
        after, on_record = await asked(workdir, Wanted(names))
    problems = {one["name"]: one["problem"] for one in found}
    assert before == 0
    assert [one["read_at"] for one in unknown] == [None, None]
    assert status == after == 1
    assert problems[good.package.name] is None
    assert problems[bad.package.name]["code"] == "package_checksum"
    assert {one["name"]: one["problem"] for one in on_record} == problems
    assert all(one["read_at"] for one in on_record)


async def test_what_cannot_be_read_now_is_not_condemned(road: Road, tmp_path: Path) -> None:
    [one] = await archived(road, {"a": b"1"})
    place = with_archive(road.centre, one.location, endpoint="http://127.0.0.1:9")
    async with up(road, tmp_path, place) as workdir:
        status, [found] = await asked(workdir, Wanted((one.package.name,), now=True))
    assert status == 1
    assert found["problem"] is None
    assert found["unread"]["code"] == "s3_unreachable"
    assert not await road.events_of(road.centre, CopyScrubbed)


async def test_what_is_asked_wrongly(road: Road, tmp_path: Path) -> None:
    await archived(road, {"a": b"1"})
    async with up(road, tmp_path) as workdir:
        for wanted, code in (
            (Wanted(now=True), "packages_missing"),
            (Wanted(("no-such.tar",)), "unknown_package"),
            (Wanted(("no-such.tar",), now=True), "unknown_package"),
            (Wanted(location="nowhere"), "unknown_location"),
            (Wanted(site="nowhere"), "unknown_site"),
        ):
            with pytest.raises(UserError) as error:
                await scrub(workdir, wanted, console=Console(file=io.StringIO()))
            assert error.value.problem.code == code


async def test_an_empty_archive_is_well(road: Road) -> None:
    async with OpsDbReader.open(road.centre.opsdb_dsn()) as opsdb:
        [report] = await scrub_reports(road.centre, opsdb)
    assert report.coverage == 1.0
    assert report.is_well
    assert report.unread_since is None
