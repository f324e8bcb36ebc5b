"""When a copy in an archive is read again: pure decisions on times and sizes."""

from datetime import datetime, timedelta

from libs.copies.holdings import Holdings
from libs.sites.scrubs import ScrubSettings

SLACK = 1 / 10
"""Of the period: so long before its end copies are due, for servers are away now and then."""

MARGIN = 1.25
"""The archive is reckoned to take so much longer than the rate alone says."""

OVERHEAD = timedelta(seconds=0.1)
"""Reckoned for each copy besides its bytes."""

SHORTEST_LOOK_S = 0.5
LONGEST_LOOK_S = 60.0


def due_before(now: datetime, settings: ScrubSettings, holdings: Holdings) -> datetime:
    """A copy that was last read before this instant is due, longest unread first.

    It is chosen so that all copies are read within the period even if all were last read at the same time.
    """
    return now - settings.period + lead(settings, holdings)


def lead(settings: ScrubSettings, holdings: Holdings) -> timedelta:
    """How long before the end of its period a copy is due.

    All of the period if the rate is too low for what the archive holds: it is read without a pause then.
    """
    reading = timedelta(seconds=holdings.size / settings.rate) + OVERHEAD * holdings.copies
    return min(settings.period, max(settings.period * SLACK, reading * MARGIN))


def look_every(settings: ScrubSettings) -> float:
    """Seconds between two looks whether copies are due: a hundredth of the period, within reason."""
    return min(max(settings.period.total_seconds() / 100, SHORTEST_LOOK_S), LONGEST_LOOK_S)
