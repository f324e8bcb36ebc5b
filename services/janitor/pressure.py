"""When a disk is too full, and for how long: pure but for remembering."""

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


class Pressure:
    """Which disks are being cleared because they were too full.

    It is remembered by the instance that sweeps alone. Its successor begins anew: between the two marks it waits
    for high water again.
    """

    def __init__(self) -> None:
        self._pressed: set[str] = set()

    def look(self, location: str, space: Space, retention: Retention) -> bool:
        """Whether archived copies at a location go before their age now."""
        pressed = is_pressed(space, retention, before=location in self._pressed)
        (self._pressed.add if pressed else self._pressed.discard)(location)
        return pressed
