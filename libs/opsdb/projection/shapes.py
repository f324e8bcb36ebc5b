"""The rows of a wave, sorted by the columns that they name: what one statement can write."""

from collections.abc import Callable
from functools import cache
from operator import itemgetter
from typing import NamedTuple

from libs.opsdb.projection.changes import Key, Values
from libs.opsdb.projection.coalescing import Guards, Wave
from libs.opsdb.projection.tables import Table

Record = tuple[object, ...]
"""The values of a row: of its key, then of the columns of its shape."""


class Shape(NamedTuple):
    """Rows that name the same columns, and are merged in the same way.

    Attributes:
        columns: Beside the key, in the table's order.
    """

    columns: tuple[str, ...]
    guards: Guards
    records: list[Record]


def shapes_of(table: Table, wave: Wave) -> list[Shape]:
    """The rows of a wave."""
    found: dict[tuple[tuple[str, ...], Guards], tuple[Shape, Callable[[Values], Record]]] = {}
    for key, row in wave.rows.items():
        columns = _canonical(table, tuple(row.values))
        known = found.get((columns, row.guards))
        if known is None:
            known = found[columns, row.guards] = Shape(columns, row.guards, []), _picking(columns)
        shape, pick = known
        shape.records.append(key + pick(row.values))
    return [shape for shape, _ in found.values()]


@cache
def _canonical(table: Table, columns: tuple[str, ...]) -> tuple[str, ...]:
    named = set(columns)
    return tuple(column for column in table.types if column in named)


@cache
def _picking(columns: tuple[str, ...]) -> Callable[[Values], Record]:
    match columns:
        case ():
            return lambda _: ()
        case (column,):
            return lambda values: (values[column],)
        case _:
            return itemgetter(*columns)


def keys_of(table: Table, shapes: list[Shape]) -> list[Key]:
    """The keys of all rows."""
    length = len(table.key)
    return [record[:length] for shape in shapes for record in shape.records]
