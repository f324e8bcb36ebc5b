"""Long lists in several messages, each well below the server's limit."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from pydantic import BaseModel

from contracts.base import Event

PART_ITEMS = 500

PART_BYTES = 200_000
"""Of the items of one part, as JSON: five hundred paths may be longer than any message."""

T = TypeVar("T")
E = TypeVar("E", bound=Event)


def in_parts(
    items: Sequence[T],
    make_event: Callable[[tuple[T, ...], int, int], E],
    max_items: int = PART_ITEMS,
    max_bytes: int = PART_BYTES,
) -> list[E]:
    """Share items out over events, in order.

    Args:
        items: What to say; none makes no event. The same items are always shared out in the same way.
        make_event: Is given the items of one part, the part's number from 1, and the number of parts.
        max_items: Most items of a part.
        max_bytes: Most bytes of a part's items; an item that alone has more goes alone.
    """
    chunks = list(_chunks(items, max_items, max_bytes))
    return [make_event(chunk, part, len(chunks)) for part, chunk in enumerate(chunks, start=1)]


def _chunks(items: Sequence[T], max_items: int, max_bytes: int) -> Iterator[tuple[T, ...]]:
    chunk: list[T] = []
    size = 0
    for item in items:
        cost = _cost(item)
        if chunk and (len(chunk) >= max_items or size + cost > max_bytes):
            yield tuple(chunk)
            chunk, size = [], 0
        chunk.append(item)
        size += cost
    if chunk:
        yield tuple(chunk)


def _cost(item: object) -> int:
    """Bytes of an item as JSON, with the comma after it."""
    if isinstance(item, BaseModel):
        return len(item.model_dump_json().encode()) + 1
    return len(str(item).encode()) + 3
