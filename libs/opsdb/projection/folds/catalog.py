"""Reference data: the latest telling of a row counts, whichever site it comes from."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from contracts.catalog.applied import CatalogApplied
from contracts.catalog.entry import Entry
from contracts.envelope import Envelope
from libs.opsdb.catalog import SHAPE_OF, Shape
from libs.opsdb.projection.changes import Change, Key, Upsert
from libs.opsdb.projection.folds.journals import said
from libs.opsdb.projection.tables import CATALOG_TABLES, INSTRUMENT, Table

_TABLES: dict[str, Table] = {**CATALOG_TABLES, "instrument": INSTRUMENT}


def catalog_applied(told: Envelope, event: CatalogApplied) -> list[Change]:
    """These entries are so from now on."""
    changes: list[Change] = []
    for kind, some in groupby(event.entries, type):
        changes += _of_kind(told, event, SHAPE_OF[kind], list(some))
    counts = {kind.__name__.removesuffix("Entry"): 0 for kind in map(type, event.entries)}
    for entry in event.entries:
        counts[type(entry).__name__.removesuffix("Entry")] += 1
    changes.append(
        said(
            told,
            actor=event.applied_by,
            message=f"{len(event.entries)} entries of the catalog{f': {event.reason}' if event.reason else ''}",
            details={"entries": counts, "part": event.part, "parts": event.parts},
        )
    )
    return changes


def _of_kind(
    told: Envelope, event: CatalogApplied, shape: Shape, entries: Sequence[Entry]
) -> Iterator[Change]:
    for reference in shape.refers:
        keys = {tuple(getattr(entry, name) for name in reference.fields) for entry in entries}
        named: list[tuple[Key, dict[str, object]]] = [
            (key, {}) for key in sorted(keys, key=str) if None not in key
        ]
        yield from (Upsert(_TABLES[table], named) for table in reference.tables)
    version = {f"{shape.told}_at": event.applied_at, f"{shape.told}_by": told.id, **(shape.fixed or {})}
    yield _rows(_TABLES[shape.table], shape, entries, shape.columns, version)
    if shape.subtype is not None:
        own = {"told_at": event.applied_at, "told_by": told.id}
        yield _rows(_TABLES[shape.subtype], shape, entries, shape.subtype_columns, own)


def _rows(
    table: Table, shape: Shape, entries: Sequence[Entry], columns: Sequence[str], common: dict[str, object]
) -> Upsert:
    return Upsert(
        table,
        [
            (shape.key_of(entry), {**{name: getattr(entry, name) for name in columns}, **common})
            for entry in entries
        ],
    )
