"""Clocks of the process whose code runs, in place of the modules `time` and `datetime`."""

from datetime import datetime, tzinfo
from typing import Self

from tests.simulation.active import world
from tests.simulation.kernel.loop import CURRENT


class SimulatedTime:
    """Stands in for the module `time`."""

    CLOCK_BOOTTIME = 7

    @staticmethod
    def clock_gettime(_clock: int) -> float:
        """Seconds that nobody can set, and that go on while a process is stopped."""
        return world().loop.now

    @staticmethod
    def monotonic() -> float:
        """Seconds that nobody can set."""
        return world().loop.now

    @staticmethod
    def time() -> float:
        """The wall clock of the process's site."""
        return world().wall(_site())

    @staticmethod
    def time_ns() -> int:
        """The wall clock of the process's site, nanoseconds."""
        return world().wall_ns(_site())


class SimulatedDatetime(datetime):
    """Stands in for the class `datetime`; instances are plain ones."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        """The wall clock of the process's site."""
        return world().wall_clock(_site())  # type: ignore[return-value]  # a datetime is what is asked for


def _site() -> str:
    return CURRENT.get(world().loop.outside).site
