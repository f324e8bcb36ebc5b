"""The answer: what something waits for, since when, for whom, and what comes then."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from contracts.base import Message, Utc

Row = Mapping[str, Any]


class Waiting(Message):
    """The present and the next step, for a person.

    Attributes:
        now: What it waits for, or that it waits for nothing.
        next: What happens by itself when that is there.
        remedy: What an operator can do, if anything.
        since: Since when it has waited for that.
        next_at: When the next step comes by itself, where that is a matter of time.
        by: The service that is to act next; None if none is, or a person.
        at: The site where that service runs.
        uses: Keys of the circuit breakers of what that service needs (`libs.breakers.resources`).
    """

    now: str
    next: str
    remedy: str = ""
    since: Utc | None = None
    next_at: Utc | None = None
    by: str | None = None
    at: str | None = None
    uses: tuple[str, ...] = ()


NOTHING = Waiting(now="Nothing: it is where it should be.", next="Nothing more happens by itself.")


def for_a_person(row: Row, fallback: str, remedy: str) -> Waiting:
    """Nothing happens by itself any more.

    Args:
        row: With the columns of a problem.
        fallback: Told where the reason is not known; so is `remedy`.
        remedy: What helps.
    """
    return Waiting(
        now=f"For a person: {row.get('problem_reason') or fallback}.",
        next="Nothing by itself.",
        remedy=str(row.get("problem_remedy") or remedy),
        since=row.get("problem_at"),
    )


def latest(row: Row, *columns: str) -> datetime | None:
    """The latest of some instants of a row; None if none is known."""
    known = [row[column] for column in columns if row.get(column) is not None]
    return max(known, default=None)


def location(name: str | None) -> tuple[str, ...]:
    """The breaker of a location; none where the location is not known."""
    return (f"location.{name}",) if name else ()


def route(name: str | None) -> tuple[str, ...]:
    """The breaker of a route; none where the route is not known."""
    return (f"route.{name}",) if name else ()
