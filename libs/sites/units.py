"""Durations and sizes as people write them: ``90s``, ``5m``, ``12h``, ``30d``; ``50 GB``, ``20 MiB``."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, ByteSize, Field, PlainSerializer

_UNITS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)\s*")
_SECOND = 1_000_000


def parse_duration(value: object) -> object:
    """Turn ``5m`` into a timedelta; numbers are seconds; other values pass through to pydantic.

    Raises:
        ValueError: A string that is no duration, a truth value, or more than a timedelta holds.
    """
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} is no duration; write for example 500ms, 30s, 5m, 12h or 30d")  # noqa: TRY004 - pydantic turns a ValueError, not a TypeError, into a validation error
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value)
    if match is None:
        raise ValueError(f"{value!r} is no duration; write for example 500ms, 30s, 5m, 12h or 30d")
    try:
        return timedelta(microseconds=int(Decimal(match[1]) * _UNITS[match[2]]))
    except OverflowError as wrong:
        raise ValueError(f"{value!r} is too long; write at most some thousand years") from wrong


def format_duration(span: timedelta) -> str:
    """A duration in seconds, exactly, in a form that `parse_duration` takes back."""
    whole, micros = divmod(span // timedelta(microseconds=1), _SECOND)
    fraction = f".{micros:06d}".rstrip("0") if micros else ""
    return f"{whole}{fraction}s"


Duration = Annotated[
    timedelta,
    Field(ge=timedelta(0)),
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
]
"""A span of time, never negative, exact to the microsecond."""

Size = ByteSize
"""A number of bytes; ``50 GB`` is 50,000,000,000 and ``50 GiB`` is 53,687,091,200."""
"""JSON keeps plain bytes."""
