"""The simulated ops-db against PostgreSQL: the same batches leave the same rows, the same queries have the same answers."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

import asyncpg
import pytest

from libs.opsdb.models import METADATA
from libs.opsdb.projection.applying import Batch
from libs.opsdb.writer import OpsDbWriter
from tests.simulation.campaigns import never_collecting
from tests.simulation.chaos import Fault, Mode, Settings
from tests.simulation.history import History
from tests.simulation.mutants import only
from tests.simulation.opsdb.answers import QUERIES
from tests.simulation.opsdb.database import Asked
from tests.simulation.opsdb.tables import Tables
from tests.simulation.seams import simulated
from tests.simulation.sites import Layout
from tests.support.servers import TEMPLATE, WRITER, WRITER_PASSWORD, TestServers

pytestmark = pytest.mark.integration

MOST_OF_A_QUERY = 10
"""So often a query is compared in a history, at most."""

MENDED = Settings(
    {Fault.OPSDB_OUTAGES: Mode.NEVER, Fault.BIT_ROT: Mode.ALWAYS, Fault.RESTLESS_FILES: Mode.ALWAYS}
)
"""Commits that are taken back would leave the simulated tables where PostgreSQL's have never been."""

HISTORIES = (
    ("opsdb:0", Layout.PLAIN, MENDED),
    ("opsdb:0", Layout.RELAY, MENDED),
    ("opsdb:10", Layout.TWO_ARCHIVES, MENDED),
    ("opsdb:19", Layout.ALONE, MENDED),
    ("away:57", Layout.ALONE, only(Fault.RESTLESS_FILES, Fault.LOST_ACKS)),
)

COMPARED = 20
"""So many of the services' queries are compared in a history with an answer that has rows, at least."""


@dataclass(frozen=True)
class Played:
    """What became of a site's ops-db in a history.

    Attributes:
        batches: What its projector committed, in order.
        asked: What the services asked it, and heard.
    """

    batches: Sequence[Batch]
    asked: Sequence[Asked]
    tables: Tables


def played(seed: str, settings: Settings, layout: Layout) -> list[Played]:
    """Every site of a history."""
    with simulated(), never_collecting():
        history = History(seed, settings, layout)
        databases = history.world.databases
        for database in databases.values():
            database.asked = []
        outcome = history.play()
    assert outcome.broken is None
    commits = [step.what for step in outcome.trace if step.kind == "commit"]
    return [
        Played([one.batch for one in commits if one.site == site], database.asked or (), database.tables)
        for site, database in databases.items()
    ]


@asynccontextmanager
async def database(servers: TestServers) -> AsyncIterator[str]:
    """A database of this release's tables, for the role that writes them."""
    name = f"simulated_{secrets.token_hex(6)}"
    admin = await asyncpg.connect(servers.dsn("postgres"))
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {WRITER} STRATEGY FILE_COPY")
        yield servers.dsn(name, WRITER, WRITER_PASSWORD)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@pytest.mark.parametrize(
    ("seed", "layout", "settings"), HISTORIES, ids=[f"{h[0]}-{h[1].value}" for h in HISTORIES]
)
async def test_the_simulated_ops_db_is_what_postgresql_makes_of_the_same(
    servers: TestServers, seed: str, layout: Layout, settings: Settings
) -> None:
    compared: set[str] = set()
    for site in await asyncio.to_thread(played, seed, settings, layout):
        async with database(servers) as dsn, OpsDbWriter.open(dsn) as writer:
            connection = await asyncpg.connect(dsn)
            try:
                compared |= await _compare(writer, connection, site)
            finally:
                await connection.close()
    assert len(compared) >= COMPARED, sorted(set(QUERIES) - compared)


async def _compare(writer: OpsDbWriter, connection: asyncpg.Connection, site: Played) -> set[str]:
    """Apply the batches, and ask in between; returns the queries that were answered with rows."""
    assert await writer.try_claim()
    asked = list(_some(site.asked))
    for batch in site.batches:
        await writer.apply(batch)
        reached = await writer.positions()
        for one in (one for one in asked if one.reached == reached):
            rows: Sequence[Any] = await connection.fetch(one.query, *one.arguments)
            assert _comparable(one.query, rows) == _comparable(one.query, one.rows), (
                one.query,
                one.arguments,
            )
    for name, table in METADATA.tables.items():
        found: Sequence[Any] = await connection.fetch(f'SELECT * FROM "{name}"')  # noqa: S608  a table of ours
        key = [column.name for column in table.primary_key.columns]
        assert _by_key(found, key) == _by_key(_simulated(site.tables, name), key), name
    return {one.query for one in asked if one.rows}


def _some(asked: Iterable[Asked]) -> Iterator[Asked]:
    """Each query so often, with other arguments or at another time."""
    seen: dict[str, set[str]] = {}
    for one in asked:
        known, what = seen.setdefault(one.query, set()), f"{one.arguments} {sorted(one.reached.items())}"
        if len(known) < MOST_OF_A_QUERY and what not in known:
            known.add(what)
            yield one


def _simulated(tables: Tables, name: str) -> Iterable[Mapping[str, Any]]:
    match name:
        case "event_record":
            return [record._asdict() for record in tables.records]
        case "stream_position":
            return [
                {"stream": stream, "sequence": sequence, "event_time": time}
                for stream, (sequence, time) in tables.positions.items()
            ]
        case "data_transfer_route":  # a list is sent as PostgreSQL's text of it
            rows = tables[name].values()
            return [{**row, "via": json.loads(f"[{str(row['via'])[1:-1]}]")} for row in rows]
        case _:
            return list(tables[name].values())


def _by_key(rows: Iterable[Mapping[str, Any]], key: Sequence[str]) -> dict[tuple[Any, ...], dict[str, Any]]:
    plain = [{name: _plain(value) for name, value in row.items()} for row in rows]
    return {tuple(row[name] for name in key): row for row in plain}


def _comparable(query: str, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    plain = [{name: _plain(value) for name, value in row.items()} for row in rows]
    return plain if query.rstrip().rpartition("ORDER BY")[1] else sorted(plain, key=str)


def _plain(value: Any) -> Any:
    match value:
        case Enum():
            return str(value.value)
        case str() if value.startswith("{"):
            return _document(value)
        case list() | tuple():
            return [_plain(one) for one in value]
        case _:
            return value


def _document(value: str) -> Any:
    """JSON by its content; a text that only begins like it, as it is."""
    try:
        return json.loads(value)
    except ValueError:
        return value
