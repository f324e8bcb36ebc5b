"""What every transfer engine does, whatever the road: local disks now, long links later.

An engine copies; it never touches its sources. One failing item does not fail the others: each has its own
outcome. What an engine reports as copied is whole, synced and under its final name; that its bytes are the
right ones is for the verifier to say, who reads them anyway.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from contracts.problems import Problem
from libs.transfer.ratelimit import RateLimit


class Existing(Enum):
    """What an engine does about a file that already has the destination's name."""

    KEEP = auto()
    """Left alone if it is the expected one (marked by us and untouched, or with the expected SHA-256);
    a different one is never overwritten: the item fails with `destination_differs`."""
    REPLACE = auto()
    """Copied again, and replaced when the new copy is whole: for a copy that was found damaged."""


@dataclass(frozen=True, slots=True)
class TransferItem:
    """One file to copy.

    Attributes:
        id: What the caller calls it; unique within one transfer.
        source: Where it is.
        destination: Where it shall be; the caller has checked that this stays below its root.
        size: Expected bytes.
        sha256: Expected checksum of the whole, lower-case hexadecimal.
        existing: What to do about a file that is already there.
    """

    id: str
    source: Path
    destination: Path
    size: int
    sha256: str
    existing: Existing = Existing.KEEP


@dataclass(frozen=True, slots=True)
class Copied:
    """The item is whole at its destination.

    Attributes:
        item: Which.
        bytes_moved: Bytes that this call moved; less than the size where an earlier one had begun.
    """

    item: TransferItem
    bytes_moved: int


@dataclass(frozen=True, slots=True)
class AlreadyThere:
    """The destination had the expected file before this call; nothing was moved."""

    item: TransferItem


@dataclass(frozen=True, slots=True)
class Failed:
    """The item is not at its destination.

    Attributes:
        item: Which.
        problem: Why, and what to do.
        recovery: Whether another try can help.
    """

    item: TransferItem
    problem: Problem
    recovery: "Recovery"


class Recovery(Enum):
    """What helps after a failure."""

    RETRY = auto()
    """The same transfer may succeed later, going on where it stopped."""
    PERSON = auto()
    """It would fail again: somebody has to look."""


Outcome = Copied | AlreadyThere | Failed


@dataclass(frozen=True, slots=True)
class TransferReport:
    """What became of every item, in the order they were given, and how long it took."""

    outcomes: tuple[Outcome, ...]
    seconds: float

    @property
    def bytes_moved(self) -> int:
        """Bytes that this call moved."""
        return sum(outcome.bytes_moved for outcome in self.outcomes if isinstance(outcome, Copied))

    @property
    def failed(self) -> tuple[Failed, ...]:
        """The items that are not at their destination."""
        return tuple(outcome for outcome in self.outcomes if isinstance(outcome, Failed))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a transfer is.

    Attributes:
        bytes_done: Bytes at the destination, earlier tries' included.
        bytes_total: Bytes of all items.
        rate: Bytes per second, lately.
        eta_seconds: Expected time to the end; None while nothing moves.
    """

    bytes_done: int
    bytes_total: int
    rate: float
    eta_seconds: float | None


class ProgressSink(Protocol):
    """Hears how far a transfer is: at most a few times a second, and once at the end."""

    def __call__(self, progress: Progress, /) -> None:
        """Take the figures; called on the event loop, so it must return at once."""


class Cancel:
    """A stop button that works from any thread; a transfer stops within one block and can be resumed."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask for the stop."""
        self._event.set()

    @property
    def requested(self) -> bool:
        """Whether the stop was asked for."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep, but no longer than until the stop is asked for; return whether it was. Blocks."""
        return self._event.wait(seconds)


class TransferEngine(Protocol):
    """Copies files from buffer to buffer."""

    async def transfer(
        self,
        items: Sequence[TransferItem],
        *,
        progress: ProgressSink,
        limit: RateLimit | None = None,
        cancel: Cancel | None = None,
    ) -> TransferReport:
        """Copy every item, going on where an earlier call for the same item stopped.

        Args:
            items: What to copy; ids and destinations are unique.
            progress: Hears how far it is.
            limit: Bytes per second of all streams together; the same object may be shared by transfers.
            cancel: Stops the transfer: unfinished items then fail with `transfer_cancelled`. Cancelling the
                awaiting task stops it as well.

        Raises:
            Retriable: `disk_full` when the destination has not the room for all items: nothing was begun.
        """
        ...
