from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import UserError
from services.gateway.paging import Select, cursor_of, key_of, read_time


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.uuids(),
    st.text(max_size=50),
)
def test_a_cursor_stands_for_its_place(when: datetime, one: UUID, text: str) -> None:
    cursor = cursor_of((when, one, text))
    assert cursor.isascii()
    assert "=" not in cursor
    assert "/" not in cursor
    assert key_of(cursor, read_time, UUID, str) == (when, one, text)


def test_no_cursor_is_no_place() -> None:
    assert key_of(None, read_time, UUID) == (None, None)


@given(st.text(max_size=60))
def test_words_that_are_no_cursor_are_refused(text: str) -> None:
    with pytest.raises(UserError) as error:
        key_of(text, read_time, UUID)
    assert error.value.problem.code == "cursor_invalid"


@pytest.mark.parametrize("key", [(datetime(2026, 1, 1), uuid4()), ("x", uuid4()), (uuid4(),)])  # noqa: DTZ001  the fault is meant
def test_cursors_of_other_lists_are_refused(key: tuple[object, ...]) -> None:
    with pytest.raises(UserError):
        key_of(cursor_of(key), read_time, UUID)


def test_conditions_number_their_values_and_leave_out_what_is_not_asked() -> None:
    select = Select("SELECT 1 WHERE a = $1", "first")
    select.where("b = {}", None)
    select.where("c = {}::kind", "second")
    select.where("(d, e) < ({}, {})", 3, 4)
    assert select._sql == "SELECT 1 WHERE a = $1 AND c = $2::kind AND (d, e) < ($3, $4)"
    assert select._arguments == ["first", "second", 3, 4]
