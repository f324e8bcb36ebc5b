"""Writing the rows of a wave, by the shortest way for each.

Rows that are not there are copied in: at either end of the connection COPY takes less than half the time of an upsert,
but it knows no conflict, so the keys are looked up first. Nobody else writes, so what is not there then is not there a
moment later. Rows that are there, and few rows, are merged by upserts. What comes out is the same.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import asyncpg

from libs.opsdb.projection.coalescing import Wave
from libs.opsdb.projection.shapes import Record, Shape, keys_of, shapes_of
from libs.opsdb.projection.statements import RELEASE, known_sql, upsert
from libs.opsdb.projection.tables import RAW_DATA_FILE, Table

MANY = 64
"""So many rows of a wave are worth looking up their keys."""


class Writing(NamedTuple):
    """A wave, ready to be written.

    Attributes:
        rows: How many rows it names.
        releases: Packages whose files are free afterwards.
    """

    table: Table
    shapes: list[Shape]
    rows: int
    releases: Sequence[object]


def writing_of(table: Table, wave: Wave) -> Writing:
    """Prepare a wave."""
    releases = wave.releases if table is RAW_DATA_FILE else ()
    return Writing(table, shapes_of(table, wave), len(wave.rows), releases)


async def write(connection: asyncpg.Connection, writing: Writing) -> None:
    """Write a wave, within the open transaction of the connection of the one who writes.

    Raises:
        asyncpg.PostgresError: One of `UNFOLDABLE` if a value cannot be stored; others as they come.
    """
    table, shapes = writing.table, writing.shapes
    if writing.rows >= MANY and table.copyable:
        shapes = await _copy_new(connection, table, shapes)
    for shape in shapes:
        sql, arguments = upsert(table, shape, shape.records)
        await connection.execute(sql, *arguments)
    if writing.releases:
        await connection.execute(RELEASE, writing.releases)


async def copy(
    connection: asyncpg.Connection, table: str, columns: Sequence[str], records: Iterable[Record]
) -> None:
    """Copy rows into a table.

    Raises:
        asyncpg.PostgresError: As the server says, or DataError if the client cannot send a value.
    """
    try:
        await connection.copy_records_to_table(table, records=records, columns=columns)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise asyncpg.DataError(f"a value of {table} cannot be sent: {error}") from error


async def _copy_new(connection: asyncpg.Connection, table: Table, shapes: list[Shape]) -> list[Shape]:
    """Copy the rows that are not there; returns the others."""
    keys = list(zip(*keys_of(table, shapes), strict=True))
    there = {tuple(row) for row in await connection.fetch(known_sql(table), *keys)}
    new: dict[tuple[str, ...], list[Record]] = {}
    others = []
    length = len(table.key)
    for shape in shapes:
        fresh = [r for r in shape.records if r[:length] not in there] if there else shape.records
        new.setdefault(shape.columns, []).extend(fresh)
        if len(fresh) < len(shape.records):
            known = [r for r in shape.records if r[:length] in there]
            others.append(shape._replace(records=known))
    for columns, records in new.items():
        if records:
            await copy(connection, table.name, (*table.key, *columns), records)
    return others
