"""One history from its seed to its outcome."""

import hashlib
import random
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from random import Random

from contracts.base import Event
from contracts.envelope import Envelope
from libs.sites.facts import to_facts
from tests.simulation import active
from tests.simulation.chaos import Happened, Settings
from tests.simulation.ending import Ending
from tests.simulation.invariants import Inspector, Violated
from tests.simulation.kernel.loop import Livelock
from tests.simulation.sites import Layout
from tests.simulation.story.catalogs import registered_at
from tests.simulation.story.clerks import clerks_of
from tests.simulation.story.instruments import Instrument
from tests.simulation.story.operating import Operator
from tests.simulation.story.outages import Outages
from tests.simulation.story.scientists import Scientist
from tests.simulation.story.truth import Truth
from tests.simulation.world import Step, World

CALM_S = 3600.0
"""So long after the last fault everything must be in a terminal state."""

LOOK_EVERY_S = 4.0
SHOWN = 40

REGISTERING = 0.3
"""In so many histories a catalog is told."""


class Size(Enum):
    """How much happens in a history: most of what can go wrong needs little, and little is played sooner."""

    SMALL = "small"
    """One observation, in a short storm."""
    LARGE = "large"
    """Several, and instances that compete."""

    @property
    def observations(self) -> tuple[int, ...]:
        """Numbers of observations, each as likely as the others."""
        return (1,) if self is Size.SMALL else (1, 1, 2, 3)

    @property
    def files(self) -> tuple[int, ...]:
        """Numbers of files in an observation."""
        return (1, 1, 2) if self is Size.SMALL else (1, 2, 2, 3)

    @property
    def instances(self) -> tuple[int, ...]:
        """Numbers of instances of the services that may compete."""
        return (1,) if self is Size.SMALL else (1, 2, 2)

    @property
    def storm_s(self) -> float:
        """Seconds in which something may go wrong, at most."""
        return 30.0 if self is Size.SMALL else 70.0


@dataclass
class Outcome:
    """What became of a history.

    Attributes:
        seed: Replays it.
        broken: What was found broken, in words; None if every invariant held to the end.
        faults: Faults that happened.
        steps: Changes of the world.
        callbacks: Callbacks that ran.
        points: Places at which a process could be killed.
        seconds: Simulated.
        digest: Of every step: equal for equal histories.
        trace: Every step, in order.
    """

    seed: str
    layout: Layout
    broken: str | None
    faults: list[Happened]
    steps: int
    callbacks: int
    points: int
    seconds: float
    trace: list[Step] = field(repr=False, default_factory=list)

    @property
    def events(self) -> Counter[str]:
        """Types of the events that were stored, and how often."""
        subjects = (str(step.facts[2]) for step in self.trace if step.kind == "store")
        return Counter(subject.split(".", 2)[2] for subject in subjects if subject.startswith("chasqui."))

    @property
    def digest(self) -> str:
        """SHA-256 over every step of the history."""
        words = "\n".join(f"{step.at} {step.kind} {step.facts}" for step in self.trace)
        return hashlib.sha256(words.encode()).hexdigest()

    def told(self, steps: int | None = SHOWN) -> str:
        """The history's end, for a person to read.

        Args:
            steps: How many of the last steps; None for all.
        """
        last = self.trace[-steps:] if steps else self.trace
        lines = [f"{step.at:10.3f}  {step.kind:<10} {' '.join(map(str, step.facts))}" for step in last]
        faults = [f"  #{one.number} at {one.at:.3f} s: {one.fault} ({one.what})" for one in self.faults]
        return "\n".join(
            (
                f"seed {self.seed}, layout {self.layout.value}: {self.broken or 'every invariant held'}",
                f"{len(faults)} faults:",
                *faults,
                f"the last {len(last)} of {self.steps} steps:",
                *lines,
            )
        )


class History:
    """A history that is being played. Enter `tests.simulation.seams.simulated` before.

    Args:
        seed: Every choice comes from it.
        settings: What may go wrong.
        layout: The observatory; by chance if left out.
    """

    def __init__(self, seed: str, settings: Settings, layout: Layout | None = None) -> None:
        chance = Random(f"{seed}:history")
        [drawn] = chance.choices(list(Layout), [layout.share for layout in Layout])
        self.world = World(seed, layout or drawn, settings)
        self.truth = Truth()
        size = chance.choice((Size.SMALL, Size.SMALL, Size.LARGE))
        self.operator = Operator(self.world, instances=chance.choice(size.instances))
        self.storm_s = 8.0 + chance.random() * size.storm_s
        self.outages = Outages(self.world, self.truth, self.storm_s)
        self.instrument = Instrument(self.world, self.operator, self.truth, size.observations, size.files)
        self.scientist = Scientist(self.world, self.truth)
        self.clerks = clerks_of(self.world, self.truth)
        self.inspector = Inspector(self.world, self.truth)
        self.ending = Ending(self.world, self.truth, self.inspector)

    def play(self) -> Outcome:
        """Play it to its end, or to the first thing found broken."""
        active.enter(self.world)
        random.seed(f"{self.world.seed}:jitter")
        try:
            return self._outcome(self._played())
        finally:
            self._dismantle()
            active.leave()

    def _outcome(self, broken: str | None) -> Outcome:
        world = self.world
        return Outcome(
            seed=world.seed,
            layout=world.layout,
            broken=broken,
            faults=world.chaos.happened,
            steps=len(world.trace),
            callbacks=world.loop.steps,
            points=world.points,
            seconds=world.loop.now,
            trace=list(world.trace),
        )

    def _played(self) -> str | None:
        try:
            self._begin()
            self._through(self.storm_s)
            self.outages.end()
            if self.world.cut:
                self._until(self._cut_off, "8: a site that is cut off does not go on by itself")
            self.outages.end_cuts()
            self._register()
            self._until(self._unfinished, "something never comes to its end")
            self.ending.check()
        except Violated as violation:
            return str(violation)
        except Livelock as endless:
            return f"6: {endless}"
        return None

    def _begin(self) -> None:
        self.operator.provision()
        for site in self.world.servers:
            self._tell(site, to_facts(self.world.deployment, 1))
        self.operator.start_all()
        self.outages.plan()
        self.world.loop.outside_context.run(self.instrument.observe)
        self.world.loop.outside_context.run(self.scientist.work)
        for clerk in self.clerks:
            self.world.loop.outside_context.run(clerk.work)
        self.world.loop.create_task(self.instrument.attend(), context=self.world.loop.outside_context)

    def _register(self) -> None:
        """In some histories what was observed is registered, now: its names stood alone until then.

        Not in all: whatever is told makes up for what was not heard before, and hides that it was not.
        """
        if Random(f"{self.world.seed}:catalog").random() > REGISTERING:
            return
        for site in self.world.servers:
            for event in registered_at(site):
                self._tell(site, event)

    def _tell(self, site: str, event: Event) -> None:
        """An operator's command stores an event."""
        server = self.world.servers[site]
        envelope = Envelope.of(event, site=site, service="up", time=self.world.wall_clock(site))
        self.world.store(
            server, server.own, event.subject(site), event.model_dump_json().encode(), envelope.headers()
        )

    def _through(self, until: float) -> None:
        self.world.loop.run_until(until)
        self._raise_surprise()

    def _until(self, unfinished: Callable[[], Iterator[str]], what: str) -> None:
        """Let time pass until nothing is left to do."""
        deadline = self.world.loop.now + CALM_S
        while self.world.loop.now < deadline:
            self._through(self.world.loop.now + LOOK_EVERY_S)
            if next(unfinished(), None) is None:
                return
        raise Violated(f"{what}: {'; '.join(islice(unfinished(), 5))}")

    def _cut_off(self) -> Iterator[str]:
        if self.instrument.busy:
            yield "an instrument still waits"
        yield from self.ending.cut_off()

    def _unfinished(self) -> Iterator[str]:
        if self.instrument.busy or self.scientist.busy or any(clerk.busy for clerk in self.clerks):
            yield "an instrument or a scientist still waits"
        yield from self.ending.unfinished()

    def _raise_surprise(self) -> None:
        if self.inspector.broken is not None:
            raise self.inspector.broken
        for what, error in self.world.surprises:
            raise Violated(f"an error nobody planned for: {what}: {_traced(error)}") from error
        for process, error in self.world.loop.failures:
            raise Violated(f"a failure nobody heard of: {process.name}: {_traced(error)}") from error

    def _dismantle(self) -> None:
        """End every process, so that nothing of the history is left behind."""
        self.world.over = True
        self.world.loop.steps = 0
        self.world.watchers.clear()
        for process in self.world.processes:
            if process.alive and process.paused:
                self.world.loop.resume(process)
            process.kill()
        processes = [self.world.loop.outside, *self.world.processes]
        for task in list(self.world.loop.outside.tasks):
            task.cancel()
        self.world.loop.drain(lambda: not any(process.tasks for process in processes))


def _traced(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def play(seed: str, settings: Settings | None = None, layout: Layout | None = None) -> Outcome:
    """Play one history."""
    return History(seed, settings or Settings(), layout).play()
