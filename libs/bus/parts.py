"""Long lists in several messages, each well below the server's limit."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from contracts.base import Event

PART_ITEMS = 500

T = TypeVar("T")
E = TypeVar("E", bound=Event)


def in_parts(
    items: Sequence[T], make_event: Callable[[tuple[T, ...], int, int], E], max_items: int = PART_ITEMS
) -> list[E]:
    """Share items out over events, in order.

    Args:
        items: What to say; none makes no event.
        make_event: Is given the items of one part, the part's number from 1, and the number of parts.
        max_items: Most items of a part.
    """
    chunks = [tuple(items[start : start + max_items]) for start in range(0, len(items), max_items)]
    return [make_event(chunk, part, len(chunks)) for part, chunk in enumerate(chunks, start=1)]
