"""What is not the same in two schemas, table by table and row by row.

PostgreSQL hashes every table in parts, chosen by the rows' own hashes, and only rows of parts that differ are looked
at: equal tables cost one pass each, whatever their size. A changed row is in one part of the first table and in
another of the second; both parts then differ, and its key brings its two forms together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import asyncpg
from sqlalchemy import Table

from libs.opsdb.connecting import quoted, unavailable_as_retriable
from libs.opsdb.models import METADATA

SAMPLES = 5
"""So many rows of a table are shown that differ; the others are counted."""

_PARTS = 256


class Kind(StrEnum):
    """How a row differs."""

    ONLY_IN_FIRST = "only_in_first"
    """The second schema has no row of this key."""
    ONLY_IN_SECOND = "only_in_second"
    """The first schema has no row of this key."""
    CHANGED = "changed"
    """Both have it, with other values."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A column whose value is not the same in both rows.

    Attributes:
        first: As PostgreSQL writes it; None is null, or no row.
        second: Likewise.
    """

    column: str
    first: str | None
    second: str | None


@dataclass(frozen=True, slots=True)
class RowDifference:
    """A row that is not the same.

    Attributes:
        key: The columns of its primary key, as PostgreSQL writes them.
        cells: The columns that differ; of a row that only one schema has, all that are not null.
    """

    kind: Kind
    key: dict[str, str]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A table that is not the same.

    Attributes:
        only_in_first: Number of rows that the second schema has not; the other counts likewise.
        samples: Some of all these rows, in the order of their keys.
    """

    table: str
    only_in_first: int
    only_in_second: int
    changed: int
    samples: tuple[RowDifference, ...]

    @property
    def rows(self) -> int:
        """How many rows differ in any way."""
        return self.only_in_first + self.only_in_second + self.changed


OnTable = Callable[[int, str], None]
"""Told before each table is compared: how many are done, and its name."""


async def compare(dsn: str, first: str, second: str, *, samples: int = SAMPLES) -> list[Difference]:
    """Every table of two schemas, row by row, as they stood at one instant.

    Args:
        dsn: With a role that may read both.
        first: A schema.
        second: Another one.
        samples: How many rows of a table to show at most.

    Returns:
        The tables that differ; none if all rows are equal.

    Raises:
        Retriable: ``opsdb_unavailable``.
    """
    with unavailable_as_retriable():
        connection = await asyncpg.connect(dsn)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return await compare_within(connection, first, second, samples=samples)
        finally:
            await connection.close()


async def compare_within(
    connection: asyncpg.Connection,
    first: str,
    second: str,
    *,
    samples: int = SAMPLES,
    on_table: OnTable = lambda *_: None,
    tables: Sequence[Table] = METADATA.sorted_tables,
) -> list[Difference]:
    """As `compare`, as the open transaction of a connection sees the schemas; or some of their tables only."""
    # A connection of the projector's kind would go through whole tables by their indexes.
    await connection.execute("SET LOCAL enable_seqscan TO on")
    found = []
    for done, table in enumerate(tables):
        on_table(done, table.name)
        pair = _Pair(table, first, second)
        if parts := await pair.unequal_parts(connection):
            found.append(await pair.difference(connection, parts, samples))
    return found


class _Pair:
    """One table in both schemas, and the SQL that compares it."""

    def __init__(self, table: Table, first: str, second: str) -> None:
        self.name = table.name
        self.columns = [column.name for column in table.columns]
        self.key = [column.name for column in table.primary_key]
        self._places = [f"{quoted(schema)}.{table.name}" for schema in (first, second)]

    async def unequal_parts(self, connection: asyncpg.Connection) -> list[int]:
        """The parts that do not have the same rows in both."""
        one, other = [
            {row["part"]: (row["count"], row["hash"]) for row in await connection.fetch(self._parts(place))}
            for place in self._places
        ]
        return sorted(part for part in one.keys() | other.keys() if one.get(part) != other.get(part))

    async def difference(
        self, connection: asyncpg.Connection, parts: Sequence[int], samples: int
    ) -> Difference:
        """What differs in these parts."""
        [counts] = await connection.fetch(self._counts(), parts)
        keys = await connection.fetch(self._unequal_keys(), parts, samples)
        shown = [await self._row(connection, tuple(key)) for key in keys]
        return Difference(self.name, counts["first"], counts["second"], counts["changed"], tuple(shown))

    async def _row(self, connection: asyncpg.Connection, key: tuple[object, ...]) -> RowDifference:
        one, other = [await connection.fetchrow(self._row_at(place), *key) for place in self._places]
        whole = one or other
        cells = [
            Cell(column, one[column] if one else None, other[column] if other else None)
            for column in self.columns
        ]
        return RowDifference(
            Kind.ONLY_IN_FIRST if other is None else Kind.ONLY_IN_SECOND if one is None else Kind.CHANGED,
            {column: whole[column] for column in self.key} if whole else {},
            tuple(cell for cell in cells if cell.first != cell.second),
        )

    def _hashed(self, place: str) -> str:
        # By name: columns stand in another order where migrations added them one by one. As text: each schema has
        # enum types of its own, whose labels count.
        row = f"ROW({', '.join(self.columns)})"
        return f"SELECT {', '.join(self.key)}, hashtextextended({row}::text, 0) AS hash FROM {place}"  # noqa: S608 - names of our own models

    def _parts(self, place: str) -> str:
        return (
            f"SELECT hash & {_PARTS - 1} AS part, count(*) AS count, bit_xor(hash) AS hash "  # noqa: S608 - as above
            f"FROM ({self._hashed(place)}) AS hashed GROUP BY 1"
        )

    def _joined(self) -> str:
        one, other = (
            f"(SELECT * FROM ({self._hashed(place)}) AS hashed WHERE hash & {_PARTS - 1} = ANY($1::bigint[]))"  # noqa: S608 - as above
            for place in self._places
        )
        return f"{one} AS one FULL JOIN {other} AS other USING ({', '.join(self.key)})"

    def _counts(self) -> str:
        return (
            "SELECT count(*) FILTER (WHERE other.hash IS NULL) AS first, "  # noqa: S608 - as above
            "count(*) FILTER (WHERE one.hash IS NULL) AS second, "
            f"count(*) FILTER (WHERE one.hash <> other.hash) AS changed FROM {self._joined()}"
        )

    def _unequal_keys(self) -> str:
        keys = ", ".join(self.key)
        return (
            f"SELECT {keys} FROM {self._joined()} WHERE one.hash IS DISTINCT FROM other.hash "  # noqa: S608 - as above
            f"ORDER BY {keys} LIMIT $2"
        )

    def _row_at(self, place: str) -> str:
        columns = ", ".join(f"{column}::text" for column in self.columns)
        found = " AND ".join(f"{column} = ${n}" for n, column in enumerate(self.key, 1))
        return f"SELECT {columns} FROM {place} WHERE {found}"  # noqa: S608 - as above
