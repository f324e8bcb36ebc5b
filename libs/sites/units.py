"""Durations and sizes as people write them: ``90s``, ``5m``, ``12h``, ``30d``; ``50 GB``, ``20 MiB``."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, ByteSize, PlainSerializer

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*")


def parse_duration(value: object) -> object:
    """Turn ``5m`` into a timedelta; numbers are seconds; other values pass through to pydantic.

    Raises:
        ValueError: A string that is no duration.
    """
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value)
    if match is None:
        raise ValueError(f"{value!r} is no duration; write for example 500ms, 30s, 5m, 12h or 30d")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2]])


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(lambda span: f"{span.total_seconds():g}s", return_type=str, when_used="json"),
]
"""A span of time, not negative by convention of its field."""

Size = ByteSize
"""A number of bytes; ``50 GB`` is 50,000,000,000 and ``50 GiB`` is 53,687,091,200."""
"""JSON keeps plain bytes."""
