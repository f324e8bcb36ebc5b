"""A pulse that counts its beats."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from libs.bus.pulse import Pulse, felt


class Counted(Pulse):
    """A pulse that remembers how often it was felt, and for what leave was taken.

    Attributes:
        beats: So often.
        leaves: Seconds, in their order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.beats = 0
        self.leaves: list[float] = []
        self._counting = threading.Lock()

    def beat(self) -> None:
        """Counts it."""
        super().beat()
        with self._counting:
            self.beats += 1

    @contextmanager
    def leave(self, seconds: float) -> Iterator[None]:
        """Remembers it; its end is not counted as a beat."""
        self.leaves.append(seconds)
        yield


@contextmanager
def counted() -> Iterator[Counted]:
    """Count the beats of the block."""
    pulse = Counted()
    with felt(pulse):
        yield pulse
