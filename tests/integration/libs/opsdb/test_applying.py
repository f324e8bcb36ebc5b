"""What events leave in the tables, seen through them."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from contracts.observations import FiledFile, FilesFiled
from libs.opsdb.projection import writing
from libs.opsdb.projection.applying import UNFOLDABLE, Applied, Batch, Happening
from libs.opsdb.writer import OpsDbWriter
from tests.support.histories import mishaps, road
from tests.support.histories.logs import BEGIN, log
from tests.support.histories.road import Observation, Step

from .conftest import Database

pytestmark = pytest.mark.integration

OBSERVATION = Observation(number=1, files=2, start=BEGIN)


async def apply(database: Database, happenings: list[Happening]) -> Applied:
    async with OpsDbWriter.open(database.writer) as writer:
        return await writer.apply(Batch(happenings, {h.stream: h.sequence for h in happenings}))


async def tell(database: Database, *steps: Iterable[Step]) -> None:
    await apply(database, log(step for some in steps for step in some))


async def column(database: Database, table: str, name: str) -> set[Any]:
    query = f"SELECT {name} FROM {table}"  # noqa: S608 - named by the test
    return {row[name] for row in await database.fetch(query)}


async def test_the_whole_road(database: Database) -> None:
    await tell(database, road.road(OBSERVATION))
    assert await column(database, "executed_obs_unit", "state") == {"finished"}
    assert await column(database, "raw_data_file", "state") == {"packaged"}
    assert await column(database, "raw_data_file", "preview_state") == {"rendered"}
    assert await column(database, "raw_data_package", "state") == {"archived"}
    assert await column(database, "data_transfer_package", "state") == {"completed"}
    assert await column(database, "data_transfer", "state") == {"completed"}
    copies = await database.fetch("SELECT location, state::text FROM physical_copy ORDER BY 1")
    assert {tuple(copy) for copy in copies} == {
        (road.SOURCE, "deleted"),
        (road.ORIGIN_BUFFER, "present"),
        (road.BUFFER, "present"),
        (road.ARCHIVE, "present"),
    }
    assert len(await database.fetch("SELECT * FROM event_record")) == 16


async def test_a_refused_file_goes_the_road_by_a_second_plan(database: Database) -> None:
    refusal = list(mishaps.refusal(OBSERVATION, "file_unreadable"))
    await tell(database, road.filing(OBSERVATION), road.scan(OBSERVATION), refusal)
    states = await database.fetch("SELECT state::text, problem_code, raw_data_package_id FROM raw_data_file")
    assert {tuple(row) for row in states} == {("filed", "file_unreadable", None), ("scanned", None, None)}
    assert await column(database, "raw_data_package", "state") == {"abandoned"}


async def test_a_file_that_is_planned_is_not_filed_or_scanned_anew(database: Database) -> None:
    await tell(
        database,
        road.filing(OBSERVATION),
        road.scan(OBSERVATION),
        road.planning(OBSERVATION),
        [(road.ORIGIN, road.filed(OBSERVATION, declared="0" * 64))],
        road.scan(OBSERVATION, mtime_ns=5),
        [mishaps.missing(OBSERVATION)],
    )
    assert await column(database, "raw_data_file", "state") == {"planned"}
    assert await column(database, "raw_data_file", "mtime_ns") == {1_790_000_000_000_000_000}
    assert await column(database, "raw_data_file", "declared_sha256") == {"0" * 64}


@pytest.mark.parametrize("transfer_first", [True, False])
async def test_a_package_is_transferring_in_either_order(database: Database, transfer_first: bool) -> None:
    steps = [(road.ORIGIN, road.bundled(OBSERVATION)), (road.DESTINATION, road.started(OBSERVATION))]
    for happening in sorted(log(iter(steps)), key=lambda h: h.stream, reverse=transfer_first):
        await apply(database, [happening])
    assert await column(database, "raw_data_package", "state") == {"transferring"}


@pytest.mark.parametrize("found_first", [True, False])
async def test_an_unfiled_file_is_marked_once_it_is_filed(database: Database, found_first: bool) -> None:
    steps = [mishaps.unfiled(OBSERVATION, filed_later=True), (road.ORIGIN, road.filed(OBSERVATION))]
    steps += [mishaps.unfiled(OBSERVATION, filed_later=False)]
    if not found_first:
        steps.reverse()
    for n, step in enumerate(steps, 1):
        [happening] = log(iter([step]))
        await apply(database, [happening._replace(sequence=n)])
    rows = await database.fetch("SELECT path, filed FROM unfiled_file")
    assert {row["path"]: row["filed"] for row in rows} == {
        **dict.fromkeys(OBSERVATION.paths, True),
        "stray/1.fits": False,
    }


async def test_an_archived_package_has_no_problem_whatever_comes_late(database: Database) -> None:
    damaged = list(mishaps.corrupted_travel(OBSERVATION))
    await tell(database, damaged)
    assert await column(database, "raw_data_package", "problem_code") == {"checksum_mismatch"}
    archived = log(iter([(road.DESTINATION, road.archived(OBSERVATION))]))[0]
    late = log(iter([damaged[3]]))[0]
    again = late._replace(
        sequence=101, envelope=replace(late.envelope, id=archived.envelope.id, time=archived.envelope.time)
    )
    await apply(database, [archived._replace(sequence=100)])
    await apply(database, [again])
    assert await column(database, "raw_data_package", "problem_code") == {None}
    assert await column(database, "raw_data_package", "state") == {"archived"}


async def test_the_same_batch_twice_does_nothing_the_second_time(database: Database) -> None:
    happenings = log(road.road(OBSERVATION))
    assert (await apply(database, happenings)).events == len(happenings)
    assert (await apply(database, happenings)).events == 0


async def test_a_repeat_much_later_does_nothing(database: Database) -> None:
    happenings = log(road.road(OBSERVATION))
    await apply(database, happenings)
    before = await database.fetch("SELECT * FROM raw_data_file ORDER BY id")
    late = [h._replace(sequence=h.sequence + 1000) for h in happenings]
    applied = await apply(database, late)
    assert (applied.events, applied.repeats, applied.rows) == (len(late), len(late), 0)
    assert await database.fetch("SELECT * FROM raw_data_file ORDER BY id") == before
    assert await column(database, "stream_position", "sequence") == {h.sequence for h in late} & {
        max(h.sequence for h in late if h.stream == stream) for stream in {h.stream for h in late}
    }


def filed_at(path: str, size: int = 1) -> Happening:
    file = FiledFile(file_id=OBSERVATION.file_ids[0], path=path, module=road.MODULE, size=size)
    event = FilesFiled(
        executed_obs_unit_id=OBSERVATION.id, instrument=road.INSTRUMENT, location=road.SOURCE, files=(file,)
    )
    return log(iter([(road.ORIGIN, event)]))[0]


@pytest.mark.parametrize("many", [1, 64], ids=["copied", "merged"])
@pytest.mark.parametrize(
    "happening", [filed_at("nul\0inside"), filed_at("large", 2**63)], ids=["nul", "too large"]
)
async def test_what_postgres_cannot_store_is_told_and_leaves_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch, happening: Happening, many: int
) -> None:
    monkeypatch.setattr(writing, "MANY", many)
    with pytest.raises(UNFOLDABLE):
        await apply(database, [happening])
    assert await database.fetch("SELECT * FROM event_record") == []
    assert await database.fetch("SELECT * FROM stream_position") == []


async def test_the_longest_and_oddest_paths_are_stored(database: Database) -> None:
    long = "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(64))
    odd = [long, "-n\n\t'\"\\ {NULL},é漢\U0001f52d"]
    for n, path in enumerate(odd, 1):
        await apply(database, [filed_at(path)._replace(sequence=n, envelope=_other(n))])
        assert await column(database, "raw_data_file", "path") == {path}


def _other(n: int) -> Any:
    [happening] = log(iter([(road.ORIGIN, road.filed(replace(OBSERVATION, number=n)))]))
    return happening.envelope


async def test_a_commit_tells_the_position(database: Database) -> None:
    heard: list[str] = []
    listening = await asyncpg.connect(database.reader)
    await listening.add_listener("applied.public", lambda *told: heard.append(str(told[3])))
    happenings = log(road.road(OBSERVATION))
    await apply(database, happenings)
    await listening.execute("SELECT 1")
    await listening.close()
    assert sorted(heard) == ["EVENTS_chile:13", "EVENTS_cologne:3"]
