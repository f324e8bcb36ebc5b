"""What the stores and their callers agree on."""

from typing import Protocol


class ByteProgress(Protocol):
    """Hears how many bytes were moved since it was last called.

    Called on the event loop's thread or on a worker thread, so it must return at once and be thread-safe.
    """

    def __call__(self, count: int, /) -> None:
        """Add `count` bytes, never negative."""


def unheard(count: int, /) -> None:
    """The progress nobody listens to."""
    del count
