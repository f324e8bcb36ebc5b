"""What is said of copies that are about to go, of those that went, and of those that stay."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from contracts.base import derived_id
from contracts.copies import CopyDeleted, CopyRef, DeletionRefused, DeletionScheduled, RefusedCopy
from contracts.problems import Problem
from contracts.states import CopyState
from services.janitor.facts import NO_HISTORY, History
from services.janitor.refusing import Code

PART_ITEMS = 500
PART_BYTES = 200_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Told:
    """A copy, and what was told of it before."""

    ref: CopyRef
    history: History = NO_HISTORY


@dataclass(frozen=True, slots=True)
class Kept:
    """A copy that stays.

    Attributes:
        whole: What it is unless its deletion failed or its age is all that is missing.
    """

    told: Told
    problem: Problem
    whole: CopyState = CopyState.PRESENT

    @property
    def state(self) -> CopyState:
        """What it is from now on."""
        match self.problem.code:
            case Code.DELETE_REFUSED:
                return CopyState.DELETION_FAILED
            case Code.RETENTION:
                return CopyState.DELETION_POSSIBLE
            case _:
                return self.whole

    @property
    def is_news(self) -> bool:
        """Whether it stays for another reason than before, or was said to go."""
        history = self.told.history
        return (self.problem.code, self.state) != (history.refusal, history.state)


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


def batch_id(cause: UUID, location: str, copies: Sequence[Told]) -> UUID:
    """Names one decision: the same copies, deleted because of the same thing, have the same batch.

    A copy that was made anew after it had been deleted, or was refused since, is up for another decision: the log
    would take it for a repeat otherwise. That it was announced is no such thing: whoever finishes what a killed
    janitor announced, does so under the same name.

    Args:
        cause: The package or staging job.
        location: Where they were.
        copies: All of them.
    """
    named = sorted(
        f"{told.ref.kind}:{told.ref.entity_id}:{_iso(told.history.since)}:{_iso(told.history.refused_at)}"
        for told in copies
    )
    return derived_id("deletion", cause, location, *named)


def scheduled(batch: UUID, location: str, copies: Sequence[Told]) -> list[DeletionScheduled]:
    """These copies are about to go, in as many parts as it takes."""
    parts = shares([told.ref for told in copies], _bytes_of)
    return [
        DeletionScheduled(location=location, batch=batch, copies=part, part=number, parts=len(parts))
        for number, part in enumerate(parts, start=1)
    ]


def deleted(batch: UUID, location: str, copies: Sequence[Told], now: datetime) -> list[CopyDeleted]:
    """These copies are gone, in as many parts as it takes."""
    parts = shares([told.ref for told in copies], _bytes_of)
    return [
        CopyDeleted(
            location=location, batch=batch, deleted_at=now, copies=part, part=number, parts=len(parts)
        )
        for number, part in enumerate(parts, start=1)
    ]


def refused(location: str, kept: Sequence[Kept]) -> list[DeletionRefused]:
    """These copies stay; those that stay for the same reason as before are not mentioned again."""
    news = [
        RefusedCopy(
            copy_ref=one.told.ref,
            problem=one.problem,
            state=one.state,
            after=one.told.history.refused_at or one.told.history.since,
        )
        for one in kept
        if one.is_news
    ]
    parts = shares(news, _refusal_bytes)
    return [
        DeletionRefused(location=location, refusals=part, part=number, parts=len(parts))
        for number, part in enumerate(parts, start=1)
    ]


def _iso(when: datetime | None) -> str:
    return when.isoformat() if when else ""


def _bytes_of(ref: CopyRef) -> int:
    return len(ref.model_dump_json())


def _refusal_bytes(refusal: RefusedCopy) -> int:
    return len(refusal.model_dump_json())
