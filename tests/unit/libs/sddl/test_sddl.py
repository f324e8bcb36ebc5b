"""Reading SDDL, with its lines or without, and comparing tables with it."""

import re
from dataclasses import replace

import pytest

from libs.errors import UserError
from libs.sddl.comparing import Column, TableIndex, TableShape, mismatches
from libs.sddl.parsing import parse
from libs.sddl.unfolding import unfolded

DESCRIPTION = """\
!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!
!
! SDDL Name: PARTS.SDDL
!
! Purpose: a relation of our own, as the archive would describe it
!
! Date     OPR   Who   Reason
! -------- ----- ----- -------------
! 05/10/99 39260 Nobody First version
!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!
!
LANGUAGE SQL
RECORD PART_TYPE
!-------------------------------------------
!
! RECORD INFORMATION
!
!-------------------------------------------
DESCRIPTION "Everything that is a part: valid values are
! anything, and even END_RECORD."
!-------------------------------------------
!
! FIELD INFORMATION
!
!-------------------------------------------
FIELD whole_id
  TYPE C9
  DESCRIPTION "The whole that it is a part of, e.g. 'N'."
END_FIELD
FIELD part_num
  TYPE C3
  UNITS "BASE_36"
  DESCRIPTION "Its number."
END_FIELD
FIELD weight  ! of the part
  TYPE R8
END_FIELD
END_RECORD
!-------------------------------------------
!
! RELATION DECLARATION
!
!-------------------------------------------
RELATION parts
  TYPE PART_TYPE
  DESCRIPTION "Parts of wholes"
  SUBSYSTEM_USING "OPUS", "DADS"
  INDEX parts_1
    TYPE unique, clustered
    FIELDS whole_id, part_num
  END_INDEX
  INDEX parts_2
    TYPE nonclustered
    FIELDS part_num
  END_INDEX
END_RELATION
"""
FOLDED = " ".join(DESCRIPTION.replace("FIELD weight  ! of the part", "FIELD weight").split())
"""As such files come out of places that join lines: no comment has an end any more."""

TABLE = TableShape(
    "parts",
    {
        "whole_id": Column("character varying", 9),
        "part_num": Column("character varying", 3),
        "weight": Column("double precision"),
        "more": Column("text"),
    },
    {
        "parts_1": TableIndex(("whole_id", "part_num"), unique=True, clustered=True),
        "parts_2": TableIndex(("part_num",), unique=False, clustered=False),
        "ix_more": TableIndex(("more",), unique=False, clustered=False),
    },
)


@pytest.mark.parametrize("text", [DESCRIPTION, FOLDED], ids=["lines", "one line"])
def test_a_description_is_read_with_its_lines_and_without(text: str) -> None:
    [relation] = parse(text)
    assert (relation.name, relation.record, relation.used_by) == ("parts", "PART_TYPE", ("OPUS", "DADS"))
    assert relation.description == "Parts of wholes"
    assert [(one.name, one.type, one.units) for one in relation.fields] == [
        ("whole_id", "C9", None),
        ("part_num", "C3", "BASE_36"),
        ("weight", "R8", None),
    ]
    assert relation.fields[0].description == "The whole that it is a part of, e.g. 'N'."
    first, second = relation.indexes
    assert (first.unique, sorted(first.kinds), first.fields) == (
        True,
        ["clustered", "unique"],
        ("whole_id", "part_num"),
    )
    assert (second.unique, second.fields) == (False, ("part_num",))
    assert mismatches(relation, TABLE) == []


def test_text_with_lines_is_left_as_it_is() -> None:
    assert unfolded(DESCRIPTION) == DESCRIPTION
    assert unfolded(FOLDED).count("\n") > 20


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("TYPE C9", "TYPE C8", "field whole_id"),
        ("TYPE R8", "TYPE I4", "field weight"),
        ("TYPE R8", "TYPE Q7", "field weight"),
        ("FIELD weight", "FIELD height", "field height"),
        ("TYPE unique, clustered", "TYPE clustered", "index parts_1"),
        ("TYPE unique, clustered", "TYPE unique", "index parts_1"),
        ("FIELDS whole_id, part_num", "FIELDS part_num, whole_id", "index parts_1"),
        ("INDEX parts_2", "INDEX parts_3", "index parts_3"),
    ],
)
def test_every_difference_is_found_and_told(old: str, new: str, where: str) -> None:
    [relation] = parse(DESCRIPTION.replace(old, new, 1))
    [found] = mismatches(relation, TABLE)
    assert found.where == where
    assert found.wanted != found.found


def test_a_table_that_is_not_there_is_told() -> None:
    [relation] = parse(DESCRIPTION)
    [found] = mismatches(relation, None)
    assert found.where == "relation parts"


def test_a_number_may_have_more_room_than_it_needs() -> None:
    [relation] = parse(DESCRIPTION.replace("TYPE R8", "TYPE I4"))
    for kind, fits in (("bigint", True), ("integer", True), ("smallint", False)):
        table = replace(TABLE, columns={**TABLE.columns, "weight": Column(kind)})
        assert (mismatches(relation, table) == []) is fits


@pytest.mark.parametrize(
    ("pattern", "new", "code"),
    [
        ("END_RECORD\n", "", "sddl_malformed"),
        ("  TYPE C9\n", "", "field_incomplete"),
        ("  TYPE C9\n", "  TYPE C9\n  TYPE C9\n", "name_repeated"),
        ("FIELD part_num\n", "FIELD whole_id\n", "name_repeated"),
        ("INDEX parts_2", "INDEX parts_1", "name_repeated"),
        ("  TYPE PART_TYPE", "  TYPE OTHER", "record_unknown"),
        ("FIELDS part_num", "FIELDS nothing", "index_of_unknown_field"),
        ("RELATION parts\n", "", "sddl_malformed"),
        ('DESCRIPTION "Its number."', "DESCRIPTION Its number.", "sddl_malformed"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(pattern: str, new: str, code: str) -> None:
    broken = re.sub(pattern, new, DESCRIPTION, count=1)
    assert broken != DESCRIPTION
    with pytest.raises(UserError) as told:
        parse(broken)
    assert told.value.problem.code == code
    if code == "sddl_malformed":
        assert "line" in told.value.problem.reason


def test_nothing_describes_nothing_and_a_text_without_an_end_is_refused() -> None:
    assert parse("") == ()
    with pytest.raises(UserError):
        parse('RECORD R DESCRIPTION "never ends')
