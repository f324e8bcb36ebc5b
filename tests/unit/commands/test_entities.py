"""The picture of the tables is current, and has each table once."""

from collections import Counter
from itertools import pairwise

import pytest

from commands.entities.__main__ import TARGET
from commands.entities.areas import AREAS, BY_NAME
from commands.entities.boxes import Box, Reference, lines_of, placed, reference_of
from commands.entities.drawing import picture
from libs.opsdb.models import METADATA


def test_the_picture_is_current() -> None:
    assert TARGET.read_text("utf-8") == picture(), "write it again: python -m commands.entities"


def test_every_table_stands_at_one_place() -> None:
    named = Counter(table for columns in AREAS.values() for tables in columns for table in tables)
    assert set(named) == set(METADATA.tables)
    assert set(named.values()) == {1}


def test_no_two_boxes_overlap() -> None:
    columns: dict[tuple[str, int], list[Box]] = {}
    for box in placed():
        columns.setdefault((box.area, box.column), []).append(box)
    for boxes in columns.values():
        for one, other in pairwise(boxes):
            assert one.y + one.height < other.y


@pytest.mark.parametrize(
    ("table", "column", "wanted"),
    [
        ("telescope", "observatory", Reference("observatory", tied=True)),
        ("raw_data_file", "executed_obs_unit_id", Reference("executed_obs_unit", tied=False)),
        ("physical_copy", "location", Reference("data_location", tied=False)),
        ("physical_copy", "entity_id", None),
        ("site", "name", None),
        ("asn_association", "origin", None),
        ("data_transfer", "origin", Reference("site", tied=False)),
    ],
)
def test_what_a_column_refers_to(table: str, column: str, wanted: Reference | None) -> None:
    assert reference_of(METADATA.tables[table].columns[column]) == wanted


def test_every_reference_is_to_a_table_and_every_key_is_told() -> None:
    assert set(BY_NAME.values()) <= set(METADATA.tables)
    for name, table in METADATA.tables.items():
        told = {line.text: line for line in lines_of(name)}
        for column in table.columns:
            if column.foreign_keys:
                refers = told[column.name].refers
                assert refers is not None
                assert refers.tied
