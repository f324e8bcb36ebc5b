"""Whether a table is what an SDDL description says it is: pure, on what SQLAlchemy or PostgreSQL tell of the table."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from libs.sddl.relations import Field, Index, Relation


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        type: What PostgreSQL calls it.
        most: The most characters a value can have; None if it is no text, or of any length.
    """

    type: str
    most: int | None = None


@dataclass(frozen=True, slots=True)
class TableIndex:
    """An index of a table, its primary key included."""

    columns: tuple[str, ...]
    unique: bool
    clustered: bool


@dataclass(frozen=True, slots=True)
class TableShape:
    """A table as the database has it."""

    name: str
    columns: Mapping[str, Column]
    indexes: Mapping[str, TableIndex]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Where a table is not what the description says.

    Attributes:
        where: A field or index.
        wanted: What the description says.
        found: What the table has.
    """

    where: str
    wanted: str
    found: str


_NUMBERS = {
    "I2": {"smallint", "integer", "bigint"},
    "I4": {"integer", "bigint"},
    "I8": {"bigint"},
    "R4": {"real", "double precision"},
    "R8": {"double precision"},
    "D8": {"double precision"},
}
"""What holds every value of a type of SDDL."""


def mismatches(relation: Relation, table: TableShape | None) -> Sequence[Mismatch]:
    """Everything in which a table is not as described; columns and indexes that it has besides do not matter."""
    if table is None:
        return [Mismatch(f"relation {relation.name}", "a table", "none")]
    return [*_fields(relation.fields, table), *_indexes(relation.indexes, table)]


def _fields(fields: Sequence[Field], table: TableShape) -> Iterator[Mismatch]:
    for field in fields:
        column = table.columns.get(field.name)
        if column is None:
            yield Mismatch(f"field {field.name}", field.type, "no such column")
        elif (wrong := _type_mismatch(field.type, column)) is not None:
            yield Mismatch(f"field {field.name}", wrong, _told(column))


def _type_mismatch(declared: str, column: Column) -> str | None:
    """What was wanted, if the column is something else."""
    if text := re.fullmatch(r"C(\d+)", declared):
        most = int(text[1])
        return None if column.most == most else f"{declared}: at most {most} characters"
    if declared in _NUMBERS:
        return (
            None
            if column.type in _NUMBERS[declared]
            else f"{declared}: {', '.join(sorted(_NUMBERS[declared]))}"
        )
    return f"{declared}: a type that is not known here"


def _told(column: Column) -> str:
    return f"{column.type}, at most {column.most} characters" if column.most is not None else column.type


def _indexes(indexes: Sequence[Index], table: TableShape) -> Iterator[Mismatch]:
    for index in indexes:
        found = table.indexes.get(index.name)
        wanted = _index_words(index.fields, unique=index.unique, clustered="clustered" in index.kinds)
        if found is None:
            yield Mismatch(f"index {index.name}", wanted, "no such index")
            continue
        has = _index_words(found.columns, unique=found.unique, clustered=found.clustered)
        if has != wanted:
            yield Mismatch(f"index {index.name}", wanted, has)


def _index_words(columns: Sequence[str], *, unique: bool, clustered: bool) -> str:
    kinds = ("unique" if unique else "not unique", "clustered" if clustered else "not clustered")
    return f"{', '.join(kinds)}, on {', '.join(columns)}"
