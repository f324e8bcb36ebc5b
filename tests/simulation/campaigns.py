"""Many histories, one after the other or on several processors, and what they came to."""

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from time import perf_counter, process_time

from tests.simulation.chaos import Fault, Settings
from tests.simulation.history import Outcome, play
from tests.simulation.seams import simulated
from tests.simulation.sites import Layout

TOGETHER = 40
"""Histories that a process plays before it ends, at most."""


@dataclass
class Tally:
    """What some histories came to.

    Attributes:
        failed: Seeds of those that broke an invariant, and what they broke.
        histories: How many were played.
        steps: Changes of the world in all of them.
        points: Places at which a process could be killed.
        simulated_s: Seconds of their own time.
        cpu_s: Seconds of a processor that they took.
        faults: By kind, how many happened.
        events: By type, how many were stored.
    """

    failed: dict[str, str] = field(default_factory=dict)
    histories: int = 0
    steps: int = 0
    points: int = 0
    simulated_s: float = 0.0
    cpu_s: float = 0.0
    faults: Counter[Fault] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)

    def count(self, outcome: Outcome) -> None:
        """Add a history."""
        self.histories += 1
        self.steps += outcome.steps
        self.points += outcome.points
        self.simulated_s += outcome.seconds
        self.faults.update(one.fault for one in outcome.faults)
        self.events.update(outcome.events)
        if outcome.broken is not None:
            self.failed[outcome.seed] = outcome.broken

    def add(self, other: "Tally") -> None:
        """Add those of another process."""
        self.failed |= other.failed
        self.histories += other.histories
        self.steps += other.steps
        self.points += other.points
        self.simulated_s += other.simulated_s
        self.cpu_s += other.cpu_s
        self.faults.update(other.faults)
        self.events.update(other.events)


def seeds_of(seed: str, count: int) -> list[str]:
    """The seeds of a campaign's histories."""
    return [f"{seed}:{number}" for number in range(count)]


def play_all(seeds: Iterable[str], settings: Settings | None = None, layout: Layout | None = None) -> Tally:
    """Play histories in this process, whatever they break."""
    tally = Tally()
    with simulated(), never_collecting():
        _play_into(tally, seeds, settings, layout)
    return tally


def play_beside(
    seeds: Sequence[str],
    settings: Settings,
    layout: Layout | None = None,
    *,
    jobs: int,
    heard: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """Play histories on several processors: the outcome is the same for any number of them.

    Each lot is played by a process of its own, forked from one in which everything is imported and was used once;
    it ends without having cleared up what its histories left behind.

    Args:
        seeds: Of the histories.
        settings: What may go wrong.
        layout: The observatory; by chance if left out.
        jobs: Processes.
        heard: Told of all that was played so far, now and then.
    """
    tally = Tally()
    with simulated(), never_collecting():
        _play_into(Tally(), ["warm:0", "warm:1"], Settings(most=0), Layout.RELAY)
        gc.freeze()
        with get_context("fork").Pool(jobs, maxtasksperchild=1) as pool:
            work = partial(_play_lot, settings=settings, layout=layout)
            for part in pool.imap(work, _in_lots(seeds, jobs)):
                tally.add(part)
                heard(tally)
            # What leaving the block does instead may wait for ever for a process that was just begun.
            pool.close()
            pool.join()
    return tally


def _play_lot(seeds: Sequence[str], settings: Settings, layout: Layout | None) -> Tally:
    tally = Tally()
    _play_into(tally, seeds, settings, layout)
    return tally


def _play_into(tally: Tally, seeds: Iterable[str], settings: Settings | None, layout: Layout | None) -> None:
    began = process_time()
    for seed in seeds:
        tally.count(play(seed, settings, layout))
    tally.cpu_s += process_time() - began


def timed(work: Callable[[], Tally]) -> tuple[Tally, float]:
    """A tally, and the seconds that it took."""
    began = perf_counter()
    tally = work()
    return tally, perf_counter() - began


def _in_lots(seeds: Sequence[str], jobs: int) -> Iterator[Sequence[str]]:
    size = max(1, min(TOGETHER, len(seeds) // (4 * jobs)))
    return (seeds[first : first + size] for first in range(0, len(seeds), size))


@contextmanager
def never_collecting() -> Iterator[None]:
    """Let the collector not look again and again through what a history still needs, nor through what it leaves."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
