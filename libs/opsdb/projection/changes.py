"""What the fold says is to be done to the tables."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from contracts.problems import Problem
from libs.opsdb.projection.tables import Table

NO_PROBLEM: Mapping[str, None] = {"problem_code": None, "problem_reason": None, "problem_remedy": None}


Key = tuple[object, ...]
"""The values of a table's key columns."""

Values = Mapping[str, object]
"""The values of other columns, by name."""


class Upsert(NamedTuple):
    """These columns of these rows are to have these values, each by its policy; rows are made if need be.

    Attributes:
        rows: Key and values of each row. All name the same columns; columns that are not named are left as
            they are.
        guard: Bits of the states from which the guarded columns are changed; 0 if none is named.
    """

    table: Table
    rows: Sequence[tuple[Key, Values]]
    guard: int = 0


class Release(NamedTuple):
    """Files that are still planned for this package are free to be planned again."""

    package_id: UUID


Change = Upsert | Release


def problem_columns(problem: Problem | None, prefix: str = "problem") -> dict[str, str | None]:
    """The three columns of a problem; all null without one."""
    return {
        f"{prefix}_code": problem.code if problem else None,
        f"{prefix}_reason": problem.reason if problem else None,
        f"{prefix}_remedy": problem.remedy if problem else None,
    }


def text_array(values: Iterable[str]) -> str:
    """A column of texts as PostgreSQL reads arrays (its manual, 8.15.2): quotes and backslashes are escaped."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"


def one(table: Table, key: Key, values: Values) -> Upsert:
    """A change of a single row."""
    return Upsert(table, ((key, values),))
