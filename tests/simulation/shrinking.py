"""Fewer faults that break the same invariant: for a person who has to read the history."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.simulation.chaos import Mode, Settings
from tests.simulation.history import Outcome, play
from tests.simulation.sites import Layout

MOST_SPARED = 60
"""Faults that are left out one by one."""

Play = Callable[[str, Settings, Layout], Outcome]


@dataclass(frozen=True)
class Failing:
    """A history that breaks an invariant, and what may go wrong in it."""

    settings: Settings
    outcome: Outcome


class Shrinker:
    """Looks for the same history with fewer faults.

    Whole kinds go first, then everything after some fault, then one fault after the other. What is left breaks the
    same invariant, by its number.

    Args:
        failing: Where to begin.
        tries: How many histories may be played.
        again: Plays one.

    Attributes:
        best: The one with the fewest faults so far.
    """

    def __init__(self, failing: Failing, *, tries: int = 200, again: Play = play) -> None:
        self.best = failing
        self._number = _number(failing.outcome)
        self._left = tries
        self._again = again

    def shrink(self) -> Failing:
        """Try what there are tries for."""
        self._leave_out_kinds()
        self._cut_short()
        self._spare()
        return self.best

    def _leave_out_kinds(self) -> None:
        for kind in sorted({one.fault for one in self.best.outcome.faults}):
            settings = self.best.settings
            self._fails(replace(settings, modes={**settings.modes, kind: Mode.NEVER}))

    def _cut_short(self) -> None:
        """Halve the time in which something goes wrong, as long as it is enough."""
        enough, too_few = self._last(), 0
        while enough - too_few > 1:
            middle = (enough + too_few) // 2
            if self._fails(replace(self.best.settings, most=middle)):
                enough = min(middle, self._last())
            else:
                too_few = middle

    def _spare(self) -> None:
        for happened in reversed(self.best.outcome.faults[-MOST_SPARED:]):
            settings = self.best.settings
            self._fails(replace(settings, spared=settings.spared | {happened.number}))

    def _last(self) -> int:
        return max((one.number for one in self.best.outcome.faults), default=0)

    def _fails(self, settings: Settings) -> bool:
        """Whether the same invariant is still broken; then that is the best so far."""
        if self._left == 0:
            return False
        self._left -= 1
        outcome = self._again(self.best.outcome.seed, settings, self.best.outcome.layout)
        if _number(outcome) != self._number:
            return False
        self.best = Failing(settings, outcome)
        return True


def _number(outcome: Outcome) -> str | None:
    """Which invariant is broken: what stands before the colon."""
    return None if outcome.broken is None else outcome.broken.partition(":")[0]
