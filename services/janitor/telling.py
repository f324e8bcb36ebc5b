"""What is said of copies that went and of copies that stay."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from contracts.base import derived_id
from contracts.copies import CopyDeleted, CopyRef, DeletionRefused, RefusedCopy
from contracts.problems import Problem

PART_ITEMS = 500
PART_BYTES = 200_000

T = TypeVar("T")


def shares(
    items: Iterable[T],
    bytes_of: Callable[[T], int],
    most_items: int = PART_ITEMS,
    most_bytes: int = PART_BYTES,
) -> list[tuple[T, ...]]:
    """Share items out, in order, so that no share has too many items or, unless it is one item, bytes."""
    done: list[tuple[T, ...]] = []
    share: list[T] = []
    room = most_bytes
    for item in items:
        size = bytes_of(item)
        if share and (len(share) == most_items or size > room):
            done.append(tuple(share))
            share, room = [], most_bytes
        share.append(item)
        room -= size
    return [*done, tuple(share)] if share else done


def batch_id(cause: UUID, location: str, copies: Sequence[tuple[CopyRef, datetime | None]]) -> UUID:
    """Names one decision: the same copies, deleted because of the same thing, have the same batch.

    A copy that was made anew after it had been deleted is another copy, and its deletion another decision:
    the log would take it for a repeat otherwise.

    Args:
        cause: The package or staging job.
        location: Where they were.
        copies: Each copy, and since when it was there.
    """
    named = sorted(
        f"{ref.kind}:{ref.entity_id}:{since.isoformat() if since else ''}" for ref, since in copies
    )
    return derived_id("deletion", cause, location, *named)


def deleted(
    cause: UUID, location: str, copies: Sequence[tuple[CopyRef, datetime | None]], now: datetime
) -> list[CopyDeleted]:
    """These copies are gone, in as many parts as it takes."""
    batch = batch_id(cause, location, copies)
    parts = shares([ref for ref, _ in copies], _bytes_of)
    return [
        CopyDeleted(
            location=location, batch=batch, deleted_at=now, copies=part, part=number, parts=len(parts)
        )
        for number, part in enumerate(parts, start=1)
    ]


def refused(location: str, refusals: Sequence[tuple[CopyRef, Problem, str | None]]) -> list[DeletionRefused]:
    """These copies stay; those that stay for the same reason as before are not mentioned again.

    Args:
        location: Where they are.
        refusals: Each copy, why it stays, and the code with which it was refused before.
    """
    news = [
        RefusedCopy(copy_ref=ref, problem=problem)
        for ref, problem, before in refusals
        if problem.code != before
    ]
    parts = shares(news, _refusal_bytes)
    return [
        DeletionRefused(location=location, refusals=part, part=number, parts=len(parts))
        for number, part in enumerate(parts, start=1)
    ]


def _bytes_of(ref: CopyRef) -> int:
    return len(ref.model_dump_json())


def _refusal_bytes(refusal: RefusedCopy) -> int:
    return len(refusal.model_dump_json())
