"""One event that cannot be stored is passed over; all others take effect, once, in order."""

import asyncpg
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.problems import Problem
from libs.opsdb.halving import apply_all
from libs.opsdb.projection.applying import Applied, Batch, Happening
from tests.support.histories.logs import eventful, log

HISTORY = log(eventful(2, 1), 1)[:30]


class Picky:
    """Applies like PostgreSQL: all or nothing, and never what is at these places."""

    def __init__(self, refused: set[int]) -> None:
        self.refused = refused
        self.applied: list[Happening] = []
        self.positions: dict[str, int] = {}

    async def apply(self, batch: Batch) -> Applied:
        if any(HISTORY.index(h) in self.refused for h in batch.happenings):
            raise asyncpg.CharacterNotInRepertoireError("invalid byte sequence")
        self.applied += batch.happenings
        self.positions.update(batch.positions)
        return Applied(len(batch.happenings), 0, 0)


@settings(deadline=None)  # how long an example takes depends on what else the machine does
@given(st.sets(st.integers(0, len(HISTORY) - 1)))
async def test_only_the_culprits_are_passed_over(refused: set[int]) -> None:
    picky, told = Picky(refused), []

    async def on_unfoldable(happening: Happening, problem: Problem) -> None:
        assert problem.code == "unfoldable_event"
        told.append(happening)

    last = {h.stream: h.sequence + 5 for h in HISTORY}
    applied = await apply_all(picky, Batch(HISTORY, last), on_unfoldable)
    assert told == [h for n, h in enumerate(HISTORY) if n in refused]
    assert picky.applied == [h for n, h in enumerate(HISTORY) if n not in refused]
    assert picky.positions == last
    assert applied.events == len(picky.applied)
