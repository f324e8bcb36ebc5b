"""The tables as boxes, read from the models and put at their places."""

from dataclasses import dataclass

from sqlalchemy import Column, Enum
from sqlalchemy.dialects import postgresql

from commands.entities.areas import AREAS, BY_NAME, TOLD
from libs.opsdb.models import METADATA

WIDTH, GAP, ROW, HEAD, MARGIN = 246, 50, 14, 20, 24


@dataclass(frozen=True, slots=True)
class Reference:
    """A column that names a row of another table; tied by a foreign key, or not."""

    table: str
    tied: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a box.

    Attributes:
        key: It is part of the primary key.
    """

    text: str
    kind: str
    key: bool = False
    refers: Reference | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """A table at its place; x and y are those of its upper left corner."""

    name: str
    area: str
    column: int
    x: int
    y: int
    lines: tuple[Line, ...]

    @property
    def height(self) -> int:
        """Of the whole box."""
        return HEAD + ROW * len(self.lines) + 4

    def middle_of(self, line: int) -> int:
        """The height of a line's middle."""
        return self.y + HEAD + ROW * line + ROW // 2


def reference_of(column: Column[object]) -> Reference | None:
    """What a column refers to, if it does."""
    table = str(column.table.name)
    tied = sorted(str(key.column.table.name) for key in column.foreign_keys)  # a set: in any order
    if tied:
        return Reference(tied[0], tied=True)
    target = None if isinstance(column.type, Enum) else BY_NAME.get(column.name)
    if target is None and column.name.endswith("_id") and column.name[:-3] in METADATA.tables:
        target = column.name[:-3]
    return Reference(target, tied=False) if target not in {None, table} and target is not None else None


def lines_of(table: str) -> tuple[Line, ...]:
    """The columns of a table; versions and problems are a line each."""
    columns = METADATA.tables[table].columns
    names = [column.name for column in columns]
    found = [
        Line(column.name, _kind(column), column.primary_key, reference_of(column))
        for column in columns
        if column.name not in TOLD and not column.name.startswith("problem_")
    ]
    if "problem_code" in names:
        found.append(Line("problem", "code, reason, remedy"))
    if TOLD & set(names):
        found.append(Line("version", "time, event"))
    return tuple(sorted(found, key=lambda line: not line.key))


def _kind(column: Column[object]) -> str:
    if isinstance(column.type, Enum):
        return "enum"
    kind = column.type.compile(dialect=postgresql.dialect()).lower()  # type: ignore[no-untyped-call]
    return {"timestamp with time zone": "time", "double precision": "float", "bigint": "int"}.get(kind, kind)


def placed() -> tuple[Box, ...]:
    """Every table at its place, area below area."""
    boxes: list[Box] = []
    top = 70
    for area, columns in AREAS.items():
        for number, tables in enumerate(columns):
            x, y = MARGIN + 12 + number * (WIDTH + GAP), top + 34
            for table in tables:
                box = Box(table, area, number, x, y, lines_of(table))
                boxes.append(box)
                y += box.height + 18
        top = max(box.y + box.height for box in boxes if box.area == area) + 44
    return tuple(boxes)
