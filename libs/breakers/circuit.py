"""The breaker itself: states, what follows what, and when somebody may try. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from contracts.base import Message, Utc
from contracts.problems import Problem


class CircuitState(StrEnum):
    """The state of a breaker."""

    CLOSED = "closed"
    """Work goes on."""
    OPEN = "open"
    """Work waits for the end of the pause."""
    HALF_OPEN = "half_open"
    """One instance tries; everybody else waits for what comes of it."""


CIRCUIT_TRANSITIONS: dict[CircuitState, frozenset[CircuitState]] = {
    CircuitState.CLOSED: frozenset({CircuitState.OPEN}),
    CircuitState.OPEN: frozenset({CircuitState.HALF_OPEN, CircuitState.CLOSED}),
    CircuitState.HALF_OPEN: frozenset({CircuitState.HALF_OPEN, CircuitState.OPEN, CircuitState.CLOSED}),
}
"""What a breaker may become. Half-open follows itself when another instance takes a dead probe over; an operator
may close an open one."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """When a breaker opens, and for how long.

    Attributes:
        threshold: Failures in a row, as one instance sees them, that open it.
        first_s: The first pause; doubled each time that a probe fails.
        longest_s: The longest one.
        probe_s: A probe that is not renewed for so long is over.
    """

    threshold: int = 3
    first_s: float = 5.0
    longest_s: float = 60.0
    probe_s: float = 15.0

    def after(self, trips: int) -> float:
        """Seconds of the `trips`-th pause in a row, from 1."""
        return float(min(self.first_s * 2 ** min(trips - 1, 16), self.longest_s))


class Circuit(Message):
    """A breaker as it stands in the bucket.

    Attributes:
        since: When it came into this state, by the clock of the instance that put it there: for people.
        pause_s: Seconds from then until somebody may try; of a half-open one, until its probe counts as dead.
        trips: How many times in a row it opened.
        probe: The instance that tries.
        problem: What opened it.
    """

    state: CircuitState = CircuitState.CLOSED
    since: Utc | None = None
    pause_s: float = 0.0
    trips: int = 0
    probe: str | None = None
    problem: Problem | None = None


CLOSED = Circuit()


@dataclass(frozen=True, slots=True)
class Pass:
    """Go on."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Try for all, after having made this the record.

    Attributes:
        record: The half-open breaker.
    """

    record: Circuit


@dataclass(frozen=True, slots=True)
class Wait:
    """Not before so many seconds."""

    seconds: float


Answer = Pass | Probe | Wait


def ask(circuit: Circuit, elapsed_s: float, *, who: str, now: datetime, pauses: Pauses) -> Answer:
    """Whether `who` may use the resource now.

    Args:
        circuit: The record.
        elapsed_s: Seconds for which the record has stood as it is.
        who: The instance that asks.
        now: Told in the record.
        pauses: The settings.
    """
    if circuit.state is CircuitState.CLOSED:
        return Pass()
    left = circuit.pause_s - elapsed_s
    if left > 0:
        return Wait(left)
    return Probe(
        circuit.model_copy(
            update={
                "state": CircuitState.HALF_OPEN,
                "since": now,
                "pause_s": pauses.probe_s,
                "probe": who,
            }
        )
    )


def opened(circuit: Circuit, problem: Problem, *, now: datetime, pauses: Pauses) -> Circuit:
    """The record after a failure that opens the breaker: the first one, or a probe's."""
    trips = circuit.trips + 1
    return Circuit(
        state=CircuitState.OPEN, since=now, pause_s=pauses.after(trips), trips=trips, problem=problem
    )


@dataclass(frozen=True, slots=True)
class Sighting:
    """A record and since when this process has seen it so.

    Attributes:
        revision: Of the record; 0 if there is none.
        seen_at: On this process's monotonic clock.
        age_s: How old the record was by then, as far as wall clocks tell; at least 0.
    """

    circuit: Circuit = CLOSED
    revision: int = 0
    seen_at: float = 0.0
    age_s: float = 0.0

    def elapsed(self, monotonic: float) -> float:
        """Seconds for which the record has stood."""
        return self.age_s + max(0.0, monotonic - self.seen_at)

    def again(self, circuit: Circuit, revision: int, *, monotonic: float, age_s: float) -> "Sighting":
        """What was read now, and since when it is known: the same revision is known since it was first seen."""
        if revision == self.revision:
            return replace(self, circuit=circuit)
        return Sighting(circuit, revision, monotonic, max(0.0, age_s))
