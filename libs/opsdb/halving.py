"""Applying batches so that one event which PostgreSQL cannot store holds nobody up."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from contracts.problems import Problem
from libs.opsdb.projection.applying import UNFOLDABLE, Applied, Batch, Happening

OnUnfoldable = Callable[[Happening, Problem], Awaitable[None]]


class Applier(Protocol):
    """Whoever applies a batch, all or nothing: the `OpsDbWriter`."""

    async def apply(self, batch: Batch) -> Applied:
        """See `libs.opsdb.projection.applying.apply`."""


async def apply_all(applier: Applier, batch: Batch, on_unfoldable: OnUnfoldable) -> Applied:
    """Apply a batch; events that cannot be stored are told to `on_unfoldable` and passed over.

    A batch that fails is halved until the culprit stands alone.
    """
    try:
        return await applier.apply(batch)
    except UNFOLDABLE as error:
        if len(batch.happenings) <= 1:
            for happening in batch.happenings:
                await on_unfoldable(happening, _problem(error))
            return await applier.apply(Batch((), batch.positions))
    middle = len(batch.happenings) // 2
    head, tail = batch.happenings[:middle], batch.happenings[middle:]
    first = await apply_all(applier, Batch(head, _positions(head)), on_unfoldable)
    second = await apply_all(applier, Batch(tail, batch.positions), on_unfoldable)
    return Applied(first.events + second.events, first.repeats + second.repeats, first.rows + second.rows)


async def pass_over(_happening: Happening, _problem: Problem) -> None:
    """For whoever folds again: the live projector has put it to the dead letters."""


def _positions(happenings: Sequence[Happening]) -> Mapping[str, int]:
    return {happening.stream: happening.sequence for happening in happenings}


def _problem(error: Exception) -> Problem:
    return Problem(
        code="unfoldable_event",
        reason=f"the ops-db cannot store what the event says: {error}",
        remedy="Find out which service sends such values; the event stays in the log, the ops-db is without it.",
    )
