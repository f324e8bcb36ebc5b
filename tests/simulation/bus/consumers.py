"""A durable pull consumer: what was delivered, what is to come again, and when."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Protocol

from nats.js.api import ConsumerConfig

from libs.bus.stored import StoredMessage
from tests.simulation.bus.streams import Stream, matches


class Settled(Enum):
    """How a message left its consumer."""

    ACKNOWLEDGED = "acknowledged"
    """It was handled."""
    TERMINATED = "terminated"
    """It was given up."""


@dataclass
class Pending:
    """A message that is in somebody's hand, or waits to be delivered again.

    Attributes:
        due: When it is delivered again, on the server's clock (seconds).
        delivered: How many times it has been delivered.
        holder: Who has it; empty once it was handed back.
    """

    due: float
    delivered: int
    holder: str


class Worker(Protocol):
    """Somebody who asks for messages, one at a time."""

    @property
    def name(self) -> str:
        """Who it is."""

    @property
    def wants(self) -> bool:
        """Whether its request is open: it lives, and has nothing in hand."""

    def deliver(self, message: StoredMessage, delivered: int) -> None:
        """Send it a message; it may not arrive."""


@lru_cache(maxsize=20_000)
def hears(filters: tuple[str, ...], subject: str) -> bool:
    """Whether any of the filters matches a subject."""
    return any(matches(pattern, subject) for pattern in filters)


Alarm = Callable[[float, Callable[[], None]], object]
"""Calls something at a time."""


@dataclass
class Consumer:
    """One durable consumer of one stream.

    Attributes:
        config: As it was provisioned.
        stream: What it reads.
        pending: By sequence, what was delivered and not settled.
        settled: By sequence, what is over.
        following: The next sequence to look at.
    """

    name: str
    stream: Stream
    config: ConsumerConfig
    clock: Callable[[], float]
    alarm: Alarm
    pending: dict[int, Pending] = field(default_factory=dict)
    settled: dict[int, Settled] = field(default_factory=dict)
    following: int = 1
    workers: deque[Worker] = field(default_factory=deque)
    open: Callable[[], bool] = lambda: True

    def __post_init__(self) -> None:
        self.filters = tuple(self.config.filter_subjects or [])
        self.ack_wait = float(self.config.ack_wait or 0.0)
        self.stream.listeners.append(self._heard)

    def hears(self, subject: str) -> bool:
        """Whether it is meant for messages with this subject."""
        return hears(self.filters, subject)

    def add(self, worker: Worker) -> None:
        """Somebody begins to ask."""
        self.workers.append(worker)
        self.pump()

    def remove(self, worker: Worker) -> None:
        """Somebody asks no more."""
        if worker in self.workers:
            self.workers.remove(worker)

    def _heard(self, message: StoredMessage) -> None:
        if self.workers and self.hears(message.subject):
            self.pump()

    def pump(self) -> None:
        """Deliver what can be delivered."""
        if not self.open():
            return
        for _ in range(len(self.workers)):
            worker = self.workers[0]
            self.workers.rotate(-1)
            if not worker.wants:
                continue
            message = self._next()
            if message is None:
                return
            self._deliver(worker, message)

    def _next(self) -> StoredMessage | None:
        now = self.clock()
        for sequence, pending in self.pending.items():
            if pending.due <= now:
                return self.stream.messages[sequence - 1]
        messages = self.stream.messages
        while self.following <= len(messages):
            message = messages[self.following - 1]
            self.following += 1
            if self.hears(message.subject):
                return message
        return None

    def _deliver(self, worker: Worker, message: StoredMessage) -> None:
        before = self.pending.pop(message.sequence, None)
        delivered = before.delivered + 1 if before else 1
        self.pending[message.sequence] = Pending(self.clock() + self.ack_wait, delivered, worker.name)
        self.alarm(self.ack_wait, self.pump)
        worker.deliver(message, delivered)

    # What comes back

    def acknowledge(self, sequence: int, how: Settled = Settled.ACKNOWLEDGED) -> bool:
        """It is over; whether it was not before."""
        if self.pending.pop(sequence, None) is None:
            return False
        self.settled[sequence] = how
        return True

    def hand_back(self, sequence: int, delay: float) -> None:
        """Deliver it again, after a while."""
        pending = self.pending.get(sequence)
        if pending is not None:
            pending.due = self.clock() + delay
            pending.holder = ""
            self.alarm(delay, self.pump)

    def renew(self, sequence: int) -> None:
        """Its handler is still at work."""
        pending = self.pending.get(sequence)
        if pending is not None:
            pending.due = self.clock() + self.ack_wait
            self.alarm(self.ack_wait, self.pump)

    @property
    def idle(self) -> bool:
        """Whether everything it is meant for is over."""
        if self.pending:
            return False
        messages = self.stream.messages
        end = len(messages)
        while self.following <= end and not self.hears(messages[self.following - 1].subject):
            self.following += 1
        return self.following > end
