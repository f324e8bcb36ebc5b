"""chasqui janitor plan against a site that really runs: what it says is what the janitor then does."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from commands.janitor import Question, plan
from contracts.copies import CopyDeleted
from contracts.states import HoldKind
from libs.errors import UserError
from libs.service.service import Place
from libs.sites.running import Running, announced
from libs.sites.workdir import Workdir
from tests.integration.commands.test_insight_commands import paper, written
from tests.integration.services.janitor.test_clearing import applied, with_retention
from tests.integration.services.janitor.test_holds import known, place_hold
from tests.support.archived import sealed
from tests.support.road import Road

pytestmark = pytest.mark.integration

AS_IT_IS = Question()


@asynccontextmanager
async def up(place: Place, tmp_path: Path) -> AsyncIterator[Workdir]:
    """A site as `up` would announce it."""
    workdir = Workdir(tmp_path / "work")
    with announced(workdir, Running.here(place.deployment, (place.site,), {}), place.credentials):
        yield workdir


async def told(workdir: Workdir, question: Question = AS_IT_IS) -> dict[str, Any]:
    """The plan of the one site, by location."""
    data = paper(1_000_000)
    assert await plan(workdir, question, as_json=True, console=data) == 0
    [locations] = json.loads(written(data)).values()
    return dict(locations)


def codes(location: dict[str, Any]) -> dict[str, int]:
    return {stay["code"]: stay["copies"] for stay in location["stays"]}


async def test_what_the_plan_says_is_what_the_janitor_does(road: Road, tmp_path: Path) -> None:
    archived = await sealed(road, {"a.fits": b"12345", "b.fits": b"67"})
    waiting = await sealed(road, {"c.fits": b"xyz"})
    held = await sealed(road, {"d.fits": b"z"})
    source, buffer = f"{road.telescope.site}-source", f"{road.telescope.site}-buffer"
    async with road.running(road.telescope, "projector"), up(road.telescope, tmp_path) as workdir:
        await archived.archive()
        await held.archive()
        await applied(road, archived)
        await applied(road, held)
        hold = await place_hold(road, road.telescope, HoldKind.RAW_DATA_PACKAGE, held.id)
        await known(road, road.telescope, hold)

        found = await told(workdir)
        assert found[source]["goes"] == {"copies": 2, "bytes": 7, "before_their_age": 0}
        assert codes(found[source]) == {"not_archived": 1, "held": 1}
        assert found[buffer]["goes"]["copies"] == 1
        assert codes(found[buffer]) == {"not_archived": 1, "held": 1}
        assert found[source]["listed"] == []
        listed = (await told(workdir, Question(location=source, reasons=("held", "goes"))))[source]["listed"]
        assert sorted((one["verdict"], Path(one["path"]).name) for one in listed) == [
            ("goes", "a.fits"),
            ("goes", "b.fits"),
            ("held", "d.fits"),
        ]
        everything = await told(workdir, Question(location=source, everything=True))
        assert list(everything) == [source]
        assert len(everything[source]["listed"]) == 4
        shown = paper(200)
        assert await plan(workdir, Question(everything=True), console=shown) == 0
        for word in ("goes", "held", "an astronomer", "not_archived", "in use", "d.fits", source, buffer):
            assert word in written(shown), word
        packages = (archived, waiting, held)
        assert all(
            path.exists() for package in packages for path in (*package.at_source, package.at_telescope)
        )

        async with road.running(road.telescope, "janitor"):
            await road.wait_for(road.telescope, CopyDeleted, count=2)
    gone = {c.path for e in await road.events_of(road.telescope, CopyDeleted) for c in e.copies}
    assert gone == {*archived.contents, archived.path}


async def test_archives_and_disks_are_asked_when_they_are_to_be(road: Road, tmp_path: Path) -> None:
    package = await sealed(road, {"a.fits": b"as packaged", "b.fits": b"as packaged"})
    lost = await sealed(road, {"c.fits": b"not in the archive"})
    source = f"{road.telescope.site}-source"
    async with road.running(road.telescope, "projector"), up(road.telescope, tmp_path) as workdir:
        await package.archive()
        await lost.travel()
        await lost.announce()
        await applied(road, package)
        await applied(road, lost)
        package.at_source[0].write_bytes(b"written again")
        assert (await told(workdir))[source]["goes"]["copies"] == 3
        found = (await told(workdir, Question(ask=True)))[source]
        assert found["goes"]["copies"] == 1
        assert codes(found) == {"changed_on_disk": 1, "archive_copy_missing": 1}


async def test_age_and_pressure(road: Road, tmp_path: Path) -> None:
    packages = [await sealed(road, {f"{n}.fits": b"x" * 10}) for n in range(3)]
    source = f"{road.telescope.site}-source"
    kept = with_retention(road.telescope, source, keep_for="1d", high_water=1.0)
    # One byte above low water is to go: the oldest package alone, though all three might.
    async with road.running(road.telescope, "projector"):
        for package in packages:
            await package.archive()
            await applied(road, package)
        async with up(kept, tmp_path) as workdir:
            [stays] = (await told(workdir))[source]["stays"]
            assert (stays["code"], stays["copies"]) == ("retention", 3)
            assert stays["first_goes_at"] < stays["last_goes_at"]
            disk = (await told(workdir))[source]["disk"]
            assert not disk["pressed"]
        used = disk["used_fraction"]
        full = with_retention(
            road.telescope, source, keep_for="1d", high_water=used * 0.5, low_water=used * 0.4
        )
        async with up(full, tmp_path) as workdir:
            found = (await told(workdir))[source]
            assert found["disk"]["pressed"]
            assert found["goes"] == {"copies": 3, "bytes": 30, "before_their_age": 3}
            assert found["disk"]["used_fraction_after"] <= found["disk"]["used_fraction"]


async def test_words_that_lead_nowhere(road: Road, tmp_path: Path) -> None:
    async with road.running(road.telescope, "projector"), up(road.telescope, tmp_path) as workdir:
        for question, code in (
            (Question(site="mars"), "unknown_site"),
            (Question(location="nowhere"), "unknown_location"),
            (Question(reasons=("because",)), "unknown_reason"),
        ):
            with pytest.raises(UserError) as refused:
                await plan(workdir, question, console=paper())
            assert refused.value.problem.code == code


async def test_twenty_thousand_copies(road: Road, tmp_path: Path) -> None:
    """In 40 packages, as an archived site would have them."""
    source = f"{road.telescope.site}-source"
    async with up(road.telescope, tmp_path) as workdir:
        connection = await asyncpg.connect(road.telescope.opsdb_writer_dsn())
        try:
            await connection.execute(_MANY.replace("SOURCE", source))
        finally:
            await connection.close()
        found = (await told(workdir))[source]
    assert sum(codes(found).values()) + found["goes"]["copies"] == 20_000
    assert codes(found) == {"too_few_archive_copies": 20_000}


_MANY = """
INSERT INTO raw_data_package (id, name, state, size, sha256, archived_at, instrument)
SELECT md5('p' || n)::uuid, 'p' || n, 'archived', 1000, repeat('a', 64), now(), 'camera' FROM generate_series(0, 39) n;
INSERT INTO raw_data_file (id, location, path, size, mtime_ns, sha256, state, raw_data_package_id)
SELECT md5('f' || n)::uuid, 'SOURCE', 'camera/' || n, 10, 1, repeat('b', 64), 'packaged', md5('p' || n / 500)::uuid
FROM generate_series(0, 19999) n;
INSERT INTO physical_copy (id, kind, entity_id, location, path, size, state, created_at)
SELECT md5('c' || n)::uuid, 'raw_data_file', md5('f' || n)::uuid, 'SOURCE', 'camera/' || n, 10, 'present',
       now() + n * interval '1 millisecond'
FROM generate_series(0, 19999) n;
ANALYZE;
"""
