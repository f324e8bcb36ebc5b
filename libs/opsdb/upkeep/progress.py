"""How far a piece of work is, for whoever looks on."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """What is being done."""

    PREPARING = "preparing"
    """New tables, and the processes that fold."""
    FOLDING = "folding"
    """The log, from its first event; counts events."""
    INDEXING = "indexing"
    """The folded tables; counts indexes."""
    COMPARING = "comparing"
    """Tables; counts them."""
    EXCHANGING = "exchanging"
    """Waiting for the moment in which nobody holds a table; counts attempts."""
    DROPPING = "dropping"
    """The tables that were replaced, or that were only compared."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage is.

    Attributes:
        total: How much there is of it, as far as is known.
        note: What it is at, in words; empty if there is nothing to say.
    """

    stage: Stage
    done: int = 0
    total: int = 0
    note: str = ""


Tell = Callable[[Progress], None]
"""Shows progress; called from the event loop, so it returns at once."""


def in_silence(_: Progress) -> None:
    """Tell nobody."""
