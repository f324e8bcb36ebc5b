"""Rows as asyncpg hands them out, and the register of queries that are understood in memory."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tests.simulation.opsdb.tables import Row, Tables

Found = Sequence[Row]
Query = Callable[..., Found]
"""Is given the tables and the query's arguments."""

QUERIES: dict[str, Query] = {}
"""By the text of the SQL, as the services send it."""


class Answered(dict[Any, Any]):
    """A row by name or number."""

    def __missing__(self, key: object) -> Any:
        if isinstance(key, int):
            return list(self.values())[key]
        raise KeyError(key)


def answers(sql: str) -> Callable[[Query], Query]:
    """Declare what a query of the services means in memory."""

    def register(query: Query) -> Query:
        QUERIES[sql] = query
        return query

    return register


def answer(tables: Tables, sql: str, arguments: Sequence[object]) -> list[Answered]:
    """The rows of a query."""
    query = QUERIES.get(sql)
    if query is None:
        raise NotImplementedError(f"say in tests/simulation/opsdb/queries what this query means: {sql}")
    return [Answered(row) for row in query(tables, *arguments)]


def pick(rows: Iterable[Row], *columns: str) -> list[dict[str, object]]:
    """Some columns of rows; ``old=new`` renames one."""
    names = [column.partition("=") for column in columns]
    return [{new or old: row[old] for old, _, new in names} for row in rows]


def ordered(rows: Iterable[Row], *columns: str) -> list[Row]:
    """Rows in the order of these columns, none of them null."""
    return sorted(rows, key=lambda row: tuple(_key(row[column]) for column in columns))


def _key(value: object) -> Any:
    return value.encode() if isinstance(value, str) else value
