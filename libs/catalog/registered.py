"""What is registered, as a site's ops-db has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Enum

from contracts.catalog.entry import Entry
from libs.opsdb.catalog import SHAPES, Shape
from libs.opsdb.models import METADATA
from libs.opsdb.reader import OpsDbReader

Name = tuple[str, tuple[str, ...]]
"""A table, and the key of a row in it."""

BY_DEPLOYMENT = ("instrument", "instrument_module")
"""Tables whose rows the deployment makes, too: what it names may be referred to."""


@dataclass(frozen=True, slots=True)
class Registered:
    """The catalog.

    Attributes:
        entries: By table and key, of supertypes.
        there: What may be referred to, by table and key, of subtypes as well.
        waiting: What was spoken of, and is not registered.
        newest: The latest version of a row; None before the first.
    """

    entries: dict[Name, tuple[Shape, Entry]] = field(default_factory=dict)
    there: set[Name] = field(default_factory=set)
    waiting: set[Name] = field(default_factory=set)
    newest: datetime | None = None


async def registered(opsdb: OpsDbReader) -> Registered:
    """Read the whole catalog.

    Raises:
        Retriable: ``opsdb_unavailable``.
    """
    entries: dict[Name, tuple[Shape, Entry]] = {}
    there: set[Name] = set()
    waiting: set[Name] = set()
    newest: list[datetime] = []
    for shape in SHAPES:
        for row in await opsdb.fetch(_query(shape)):
            key = tuple(row[name] for name in shape.key)
            if row["told_at"] is not None:
                entries[shape.table, key] = shape, _entry(shape, dict(row))
                newest.append(row["told_at"])
                there |= {(shape.table, key), *([(shape.subtype, key)] if shape.subtype else [])}
            elif shape.subtype is None:
                (there if shape.table in BY_DEPLOYMENT else waiting).add((shape.table, key))
    waiting |= await _without_subtype(opsdb)
    return Registered(entries, there, waiting, max(newest, default=None))


def _query(shape: Shape) -> str:
    columns = [_column("t", shape.table, name) for name in (*shape.key, *shape.columns)]
    columns += [_column("s", shape.subtype, name) for name in shape.subtype_columns if shape.subtype]
    told = f"{'s.told' if shape.subtype else f't.{shape.told}'}_at AS told_at"
    joined = f" JOIN {shape.subtype} s USING (name)" if shape.subtype else ""
    fixed = [f" t.{column} = '{value}'" for column, value in (shape.fixed or {}).items()]
    where = f" WHERE{' AND'.join(fixed)}" if fixed else ""
    keys = ", ".join(f"t.{name}" for name in shape.key)
    return f'SELECT {", ".join(columns)}, {told} FROM "{shape.table}" t{joined}{where} ORDER BY {keys}'  # noqa: S608 - names of our own models


def _column(alias: str, table: str, name: str) -> str:
    """An enum's labels are read as text: its type is another one after each rebuild."""
    is_enum = isinstance(METADATA.tables[table].columns[name].type, Enum)
    return f"{alias}.{name}::text" if is_enum else f"{alias}.{name}"


async def _without_subtype(opsdb: OpsDbReader) -> set[Name]:
    tables = sorted({shape.table for shape in SHAPES if shape.subtype})
    return {
        (table, (row["name"],))
        for table in tables
        for row in await opsdb.fetch(f"SELECT name FROM {table} WHERE applied_at IS NULL")  # noqa: S608 - as above
    }


def _entry(shape: Shape, row: Mapping[str, Any]) -> Entry:
    fields = (*shape.key, *shape.columns, *shape.subtype_columns)
    return shape.entry.model_validate({name: row[name] for name in fields})
