"""SQL: one statement per table and set of columns, whatever the number of rows.

Rows are sent as one array per column. That is faster than COPY into a temporary table and a merge from
there: no catalogue entry, no second pass over the rows, and the statement is prepared once.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from libs.opsdb.projection.coalescing import Guards
from libs.opsdb.projection.policies import Policy, Versioned
from libs.opsdb.projection.shapes import Record, Shape
from libs.opsdb.projection.tables import Table

RELEASE = """
    UPDATE raw_data_file SET state = 'scanned', raw_data_package_id = NULL
    WHERE raw_data_package_id = ANY($1::uuid[]) AND state = 'planned'
"""


class Statement(NamedTuple):
    """SQL and its arguments."""

    sql: str
    arguments: Sequence[Sequence[object]]


def upsert(table: Table, shape: Shape, records: Sequence[Record]) -> Statement:
    """What inserts or merges some rows of a shape."""
    return Statement(upsert_sql(table, shape.columns, shape.guards), list(zip(*records, strict=True)))


@cache
def known_sql(table: Table) -> str:
    """The keys, of those given as one array per key column, that the table has."""
    keys = ", ".join(table.key)
    if len(table.key) == 1:
        [key] = table.key
        return f"SELECT {key} FROM {table.quoted} WHERE {key} = ANY($1::{table.types[key]}[])"  # noqa: S608 - names of our own models
    arrays = ", ".join(f"${n}::{table.types[key]}[]" for n, key in enumerate(table.key, 1))
    return f"SELECT {keys} FROM unnest({arrays}) AS s({keys}) JOIN {table.quoted} USING ({keys})"  # noqa: S608 - as above


@cache
def upsert_sql(table: Table, columns: tuple[str, ...], guards: Guards = ()) -> str:
    """Insert or merge rows given as one array per key column and per column, in this order."""
    named = (*table.key, *columns)
    arrays = ", ".join(f"${n}::{_wire(table, column)}[]" for n, column in enumerate(named, 1))
    selected = ", ".join(_cast(table, column) for column in named)
    return (
        f"INSERT INTO {table.quoted} AS t ({', '.join(named)}) "  # noqa: S608 - names of our own models
        f"SELECT {selected} FROM unnest({arrays}) AS s({', '.join(named)}) "
        f"ON CONFLICT ({', '.join(table.key)}) {_on_conflict(table, columns, guards)}"
    )


def _wire(table: Table, column: str) -> str:
    return table.wire.get(column, table.types[column])


def _cast(table: Table, column: str) -> str:
    return f"s.{column}::{table.types[column]}" if column in table.wire else f"s.{column}"


def _on_conflict(table: Table, columns: tuple[str, ...], guards: Guards) -> str:
    fixed = {column for column, policy in table.policies.columns.items() if policy is Policy.FIXED}
    assignments = [
        f"{column} = {_merged(table, columns, column, guards)}" for column in columns if column not in fixed
    ]
    return f"DO UPDATE SET {', '.join(assignments)}" if assignments else "DO NOTHING"


def _merged(table: Table, columns: tuple[str, ...], column: str, guards: Guards) -> str:
    policies = table.policies
    for group, guard in zip(policies.guarded, guards or (0,) * len(policies.guarded), strict=True):
        if column in group.columns:
            if guard == table.bits(*table.states):
                return f"EXCLUDED.{column}"
            return _if(_taken(table, guard), f"EXCLUDED.{column}", f"t.{column}")
    for versioned in policies.versioned:
        if column in versioned.all:
            return _versioned(versioned, columns, column, table)
    match policies.columns.get(column, Policy.REPLACE):
        case Policy.EARLIEST:
            return f"LEAST(t.{column}, EXCLUDED.{column})"
        case Policy.LATEST:
            return f"GREATEST(t.{column}, EXCLUDED.{column})"
        case Policy.ABSORB:
            return _further(table, column)
        case _:
            return f"EXCLUDED.{column}"


def _if(condition: str, then: str, otherwise: str) -> str:
    return f"CASE WHEN {condition} THEN {then} ELSE {otherwise} END"


def _taken(table: Table, guard: int) -> str:
    states = ", ".join(f"'{state}'" for state in table.states if table.bit_of[state] & guard)
    return f"t.state IS NULL OR t.state IN ({states})"


def _further(table: Table, column: str) -> str:
    order = ", ".join(f"'{state}'" for state in table.policies.order)
    labels = f"ARRAY[{order}]::{table.types[column]}[]"
    there, comes = (f"array_position({labels}, {row}.{column})" for row in ("t", "EXCLUDED"))
    return _if(f"{there} >= {comes} OR EXCLUDED.{column} IS NULL", f"t.{column}", f"EXCLUDED.{column}")


def _versioned(group: Versioned, columns: tuple[str, ...], column: str, table: Table) -> str:
    at, by = group.version
    newer = f"t.{at} IS NULL OR (EXCLUDED.{at}, EXCLUDED.{by}) > (t.{at}, t.{by})"
    value = _if(newer, f"EXCLUDED.{column}", f"t.{column}")
    if group.void_in is None or column in group.version:
        return value
    state = _further(table, "state") if "state" in columns else "t.state"
    return _if(f"({state}) = '{group.void_in}'", "NULL", value)
