"""When a disk is too full, and how much is to go: pure. `marks` remembers whether it was."""

from libs.sites.retention import Retention
from libs.storage.disk import Space


def is_pressed(space: Space, retention: Retention, *, before: bool) -> bool:
    """Whether archived copies go before their age: from high water on, until the disk is below low water.

    Args:
        space: Of the location's disk, now.
        retention: Of the location.
        before: Whether they did when it was looked at last.
    """
    used = space.used_fraction
    return used >= retention.high_water or (before and used >= retention.relieved_at)


def excess(space: Space, retention: Retention) -> int:
    """Bytes in use above low water; at least one byte on a disk that is just at it."""
    above = space.used_fraction - retention.relieved_at
    return max(1, round(above * space.total)) if above >= 0 else 0
