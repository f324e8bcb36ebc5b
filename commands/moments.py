"""Instants as people write them: a date, a date with a time, or how long ago."""

from datetime import UTC, datetime, timedelta

from libs.errors import UserError
from libs.sites.units import parse_duration


def moment(text: str, *, option: str, now: datetime | None = None) -> datetime:
    """An instant from ISO 8601 (UTC unless it says otherwise), or from a duration, which means so long ago.

    Args:
        text: ``2026-03-01``, ``2026-03-01T04:05:06``, ``2026-03-01T04:05:06+01:00``, ``90m`` or ``2d``.
        option: Where it was given, for the error.
        now: The clock.

    Raises:
        UserError: ``moment_unreadable``.
    """
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return (now or datetime.now(UTC)) - _span(text, option)
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def _span(text: str, option: str) -> timedelta:
    try:
        span = parse_duration(text)
    except ValueError as error:
        raise UserError(
            "moment_unreadable",
            f"{option} {text!r} is neither an instant nor a duration",
            "Write for example 2026-03-01, 2026-03-01T04:05:06, or 90m for ninety minutes ago.",
        ) from error
    if not isinstance(span, timedelta):
        raise TypeError(f"a duration is no {type(span).__name__}")
    return span
