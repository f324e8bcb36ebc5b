from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from libs.sites.units import Duration, Size, format_duration, parse_duration

DURATIONS = TypeAdapter[timedelta](Duration)
SIZES = TypeAdapter[Size](Size)
UNITS = {"ms": 1_000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}


@given(st.timedeltas(min_value=timedelta(0)))
def test_a_duration_survives_json_exactly(span: timedelta) -> None:
    assert DURATIONS.validate_json(DURATIONS.dump_json(span)) == span
    assert parse_duration(format_duration(span)) == span


@given(st.integers(0, 10_000), st.sampled_from(sorted(UNITS)))
def test_a_duration_is_its_number_of_units(number: int, unit: str) -> None:
    assert DURATIONS.validate_python(f" {number} {unit} ") == timedelta(microseconds=number * UNITS[unit])


@given(st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.none()))
def test_anything_is_a_duration_or_refused(value: object) -> None:
    try:
        span = DURATIONS.validate_python(value)
    except ValidationError:
        return
    assert span >= timedelta(0)


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "5 s s", "1e3s", "5.s", "٥s", "5w", "5\u00a0parsecs"])
def test_other_words_are_no_duration(text: str) -> None:
    with pytest.raises(ValidationError):
        DURATIONS.validate_python(text)


def test_fractions_are_exact() -> None:
    assert DURATIONS.validate_python("0.3s") == timedelta(milliseconds=300)
    assert DURATIONS.validate_python("1.5h") == timedelta(minutes=90)
    assert format_duration(timedelta(days=30)) == "2592000s"


@given(st.integers(0, 2**60))
def test_a_size_survives_json_exactly(size: int) -> None:
    assert SIZES.validate_json(SIZES.dump_json(Size(size))) == size


@pytest.mark.parametrize(
    ("text", "size"),
    [("50 GB", 50 * 10**9), ("50GiB", 50 * 2**30), ("20 MiB", 20 * 2**20), ("7", 7), ("1.5 KB", 1500)],
)
def test_sizes_as_people_write_them(text: str, size: int) -> None:
    assert SIZES.validate_python(text) == size
