"""The tables are the fold of the streams, however these interleave and however they are cut."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from libs.opsdb.migrating import migrate
from libs.opsdb.models import METADATA
from libs.opsdb.projection import recording, writing
from libs.opsdb.projection.applying import Batch, Happening
from libs.opsdb.projection.reconciling import Conclusions, conclude
from libs.opsdb.upkeep.comparing import Kind, compare
from libs.opsdb.writer import OpsDbWriter
from tests.support.histories import catalog, road
from tests.support.histories.logs import BEGIN, eventful, log
from tests.support.histories.road import Observation, Step

from .conftest import Database

pytestmark = pytest.mark.integration


async def fold_into(
    database: Database,
    schema: str,
    happenings: Sequence[Happening],
    length: Callable[[], int],
    drawing: Conclusions = Conclusions.AT_ONCE,
) -> None:
    await migrate(database.writer, schema)
    async with OpsDbWriter.open(database.writer, schema=schema, drawing=drawing) as writer:
        first = 0
        while first < len(happenings):
            some = happenings[first : first + length()]
            await writer.apply(Batch(some, {h.stream: h.sequence for h in some}))
            first += len(some)
        if drawing is Conclusions.LATER:
            async with writer.transaction("read_committed") as connection:
                await conclude(connection)


def mixed(happenings: Sequence[Happening], chance: random.Random) -> list[Happening]:
    """The streams, interleaved otherwise."""
    streams: dict[str, list[Happening]] = {}
    for happening in happenings:
        streams.setdefault(happening.stream, []).append(happening)
    waiting = [list(reversed(stream)) for stream in streams.values()]
    found = []
    while any(waiting):
        stream = chance.choice([stream for stream in waiting if stream])
        found.append(stream.pop())
    return found


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.long) for seed in (2, 3))])
async def test_any_interleaving_in_any_batches_gives_the_same_tables(database: Database, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - plausible, not secret
    happenings = log(eventful(14, seed), seed, repeats=0.2)
    by_stream = sorted(happenings, key=lambda h: h.stream)
    other_first = sorted(happenings, key=lambda h: h.stream, reverse=True)
    await fold_into(database, "singly", happenings, lambda: 1)
    await fold_into(database, "at_once", happenings, lambda: len(happenings))
    await fold_into(database, "mixed", mixed(happenings, chance), lambda: chance.choice((1, 3, 10, 40)))
    await fold_into(database, "chile_first", by_stream, lambda: chance.choice((1, 50)))
    await fold_into(database, "cologne_first", other_first, lambda: chance.choice((7, 100)))
    for schema in ("at_once", "mixed", "chile_first", "cologne_first"):
        assert await compare(database.writer, "singly", schema) == [], schema


@pytest.mark.parametrize("seed", [4, pytest.param(5, marks=pytest.mark.long)])
async def test_rows_that_are_copied_in_are_those_that_are_merged(
    database: Database, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - plausible, not secret
    happenings = log(eventful(14, seed), seed, repeats=0.2)
    await fold_into(database, "merged", happenings, lambda: 1)
    for module in (writing, recording):
        monkeypatch.setattr(module, "MANY", 1)
    await fold_into(database, "copied", happenings, lambda: chance.choice((5, 20, 60)))
    await fold_into(database, "copied_at_once", happenings, lambda: len(happenings))
    for schema in ("copied", "copied_at_once"):
        assert await compare(database.writer, "merged", schema) == [], schema


@pytest.mark.parametrize("seed", [6, pytest.param(7, marks=pytest.mark.long)])
async def test_conclusions_may_wait_until_the_end(database: Database, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - plausible, not secret
    happenings = log(eventful(14, seed), seed)
    await fold_into(database, "at_once", happenings, lambda: chance.choice((5, 20)))
    await fold_into(database, "later", happenings, lambda: chance.choice((5, 20)), Conclusions.LATER)
    assert await compare(database.writer, "at_once", "later") == []


async def test_every_table_had_rows_to_compare(database: Database) -> None:
    for seed in range(4):
        await fold_into(database, f"s{seed}", log(eventful(14, seed), seed), lambda: 100)
    filled = {
        name
        for seed in range(4)
        for name in METADATA.tables
        if await database.fetch(f'SELECT FROM s{seed}."{name}" LIMIT 1')
    }
    assert set(METADATA.tables) - filled == set()


async def test_repeats_have_no_second_effect(database: Database) -> None:
    repeated = log(eventful(8, 5), 5, repeats=0.5)
    firsts = {h.envelope.id: h for h in reversed(repeated)}
    plain = [h for h in repeated if firsts[h.envelope.id] is h]
    assert len(plain) < len(repeated)
    await fold_into(database, "plain", plain, lambda: 30)
    await fold_into(database, "repeated", repeated, lambda: 30)
    assert {d.table for d in await compare(database.writer, "plain", "repeated")} <= {"stream_position"}


async def test_an_observation_may_come_before_what_it_executes_and_that_before_its_program(
    database: Database,
) -> None:
    made = list(road.filing(Observation(1, 1, BEGIN)))
    told = catalog.entries(units=2)
    registered: list[Step] = [
        (road.DESTINATION, catalog.applied([entry], at=BEGIN, site=road.DESTINATION)) for entry in told
    ]
    orders = ([*registered, *made], [*made, *registered], [*made, *reversed(registered)])
    for number, steps in enumerate(orders):
        happenings = log(iter(steps))
        times = {h.envelope.id: BEGIN + timedelta(seconds=int(h.envelope.id) % 1000) for h in happenings}
        same = [h._replace(envelope=replace(h.envelope, time=times[h.envelope.id])) for h in happenings]
        await fold_into(database, f"order_{number}", same, lambda: 5)
    rows = await database.fetch(
        "SELECT u.observing_program, s.ra_deg FROM order_1.executed_obs_unit e "
        "JOIN order_1.obs_unit u ON u.name = e.obs_unit JOIN order_1.fixed_source s ON s.name = u.source"
    )
    assert [tuple(row) for row in rows] == [("2026-A-17", 10.6847)]
    for other in ("order_1", "order_2"):
        differing = {d.table for d in await compare(database.writer, "order_0", other)}
        assert differing <= {"event_record", "stream_position"}, other


async def test_a_difference_is_found(database: Database) -> None:
    happenings = log(eventful(3, 1), 1)
    for schema in ("one", "other"):
        await fold_into(database, schema, happenings, lambda: 100)
    await database.execute(
        "UPDATE other.raw_data_file SET state = 'missing' WHERE id = (SELECT min(id::text)::uuid FROM other.raw_data_file)"
    )
    [difference] = await compare(database.writer, "one", "other")
    assert (difference.table, difference.changed, difference.rows) == ("raw_data_file", 1, 1)
    [sample] = difference.samples
    assert (sample.kind, [cell.column for cell in sample.cells]) == (Kind.CHANGED, ["state"])
