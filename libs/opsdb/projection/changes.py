"""What the fold says is to be done to the tables."""

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from contracts.problems import Problem
from libs.opsdb.projection.tables import Table

NO_PROBLEM: Mapping[str, None] = {"problem_code": None, "problem_reason": None, "problem_remedy": None}


class Upsert(NamedTuple):
    """These columns of this row are to have these values, each by its policy; the row is made if need be.

    Attributes:
        key: Values of the table's key columns.
        values: By column; columns that are not named are left as they are.
        guard: Bits of the states from which the guarded columns are changed; 0 if none is named.
    """

    table: Table
    key: tuple[object, ...]
    values: Mapping[str, object]
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
