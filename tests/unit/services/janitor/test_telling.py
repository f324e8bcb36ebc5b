from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.copies import CopyRef
from contracts.problems import Problem
from contracts.states import CopyKind, CopyState
from services.janitor.facts import History
from services.janitor.telling import PART_BYTES, Kept, Told, batch_id, deleted, refused, scheduled, shares

NOW = datetime(2026, 3, 2, tzinfo=UTC)
LATER = datetime(2026, 3, 3, tzinfo=UTC)
CAUSE = UUID(int=77)
BATCH = UUID(int=78)
WHY = Problem(code="retention", reason="it is kept", remedy="wait")


def ref(number: int, path: str = "camera/f") -> CopyRef:
    return CopyRef(
        kind=CopyKind.RAW_DATA_FILE, entity_id=UUID(int=number), location="source", path=path, size=number
    )


@given(
    sizes=st.lists(st.integers(0, 50), max_size=60),
    most_items=st.integers(1, 10),
    most_bytes=st.integers(1, 100),
)
def test_shares_lose_nothing_and_stay_small(sizes: list[int], most_items: int, most_bytes: int) -> None:
    parts = shares(sizes, lambda size: size, most_items, most_bytes)
    assert [one for part in parts for one in part] == sizes
    for part in parts:
        assert 1 <= len(part) <= most_items
        assert len(part) == 1 or sum(part) <= most_bytes


def told(number: int, path: str = "camera/f", **history: Any) -> Told:
    return Told(ref(number, path), History(**{"since": NOW, **history}))


def test_ten_thousand_files_are_told_in_parts_below_the_limit() -> None:
    copies = [told(number, "camera/" + "n" * 900) for number in range(10_000)]
    for parts in (deleted(BATCH, "source", copies, NOW), scheduled(BATCH, "source", copies)):
        assert sum(len(part.copies) for part in parts) == 10_000
        assert all(len(part.model_dump_json()) < 256 * 1024 for part in parts)
        assert {part.parts for part in parts} == {len(parts)}
        assert len({part.event_id("chile") for part in parts}) == len(parts)


def test_paths_of_the_longest_kind_fit() -> None:
    parts = deleted(BATCH, "source", [told(n, "x" * 4095) for n in range(500)], NOW)
    assert max(len(part.model_dump_json()) for part in parts) < PART_BYTES + 10_000


def test_the_same_decision_has_the_same_name_whatever_the_order_and_what_was_announced() -> None:
    copies = [told(number) for number in range(3)]
    announced = [told(number, state=CopyState.DELETION_SCHEDULED) for number in range(3)]
    assert batch_id(CAUSE, "source", copies) == batch_id(CAUSE, "source", announced[::-1])


def test_another_decision_has_another_name() -> None:
    copies = [told(number) for number in range(3)]
    names = {
        batch_id(CAUSE, "source", copies),
        batch_id(CAUSE, "source", copies[:2]),
        batch_id(CAUSE, "buffer", copies),
        batch_id(CAUSE, "source", [told(number, since=LATER) for number in range(3)]),
        batch_id(CAUSE, "source", [told(number, refused_at=NOW) for number in range(3)]),
        batch_id(CAUSE, "source", [told(number, refused_at=LATER) for number in range(3)]),
    }
    assert len(names) == 6


def test_what_went_is_told_under_the_name_it_was_announced_by() -> None:
    copies = [told(number) for number in range(3)]
    [before], [after] = scheduled(BATCH, "source", copies), deleted(BATCH, "source", copies[:2], NOW)
    assert before.batch == after.batch == BATCH
    assert set(after.copies) < set(before.copies)


def said(kept: list[Kept]) -> list[int]:
    return [one.copy_ref.entity_id.int for event in refused("source", kept) for one in event.refusals]


def test_an_unchanged_refusal_is_not_said_again() -> None:
    waiting: dict[str, Any] = {"state": CopyState.DELETION_POSSIBLE, "refusal": "retention"}
    assert said([Kept(told(1), WHY)]) == [1]
    assert said([Kept(told(1, **waiting), WHY)]) == []
    assert said([Kept(told(1, state=CopyState.PRESENT, refusal="held"), WHY)]) == [1]
    assert refused("source", [Kept(told(1, **waiting), WHY)]) == []


def test_what_was_announced_and_stays_is_said_to_stay() -> None:
    announced: dict[str, Any] = {"state": CopyState.DELETION_SCHEDULED, "refused_at": NOW}
    assert said([Kept(told(1, **announced), WHY)]) == [1]


@pytest.mark.parametrize(
    ("code", "whole", "state"),
    [
        ("retention", CopyState.PRESENT, CopyState.DELETION_POSSIBLE),
        ("delete_refused", CopyState.PRESENT, CopyState.DELETION_FAILED),
        ("delete_refused", CopyState.STAGED, CopyState.DELETION_FAILED),
        ("held", CopyState.PRESENT, CopyState.PRESENT),
        ("held", CopyState.STAGED, CopyState.STAGED),
    ],
)
def test_what_a_copy_is_after_it_was_refused(code: str, whole: CopyState, state: CopyState) -> None:
    kept = Kept(told(1), Problem(code=code, reason="r", remedy="m"), whole)
    [event] = refused("source", [kept])
    assert event.refusals[0].state is state


def test_a_refusal_that_comes_back_after_another_one_is_news_to_the_log() -> None:
    ids = set()
    for when in (None, LATER, LATER + (LATER - NOW)):
        history: dict[str, Any] = {"state": CopyState.PRESENT, "refusal": "held", "refused_at": when}
        [event] = refused("source", [Kept(told(1, **history), WHY)])
        ids.add(event.event_id("chile"))
    assert len(ids) == 3
