from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from contracts.copies import CopyRef
from contracts.problems import Problem
from contracts.states import CopyKind
from services.janitor.telling import PART_BYTES, batch_id, deleted, refused, shares

NOW = datetime(2026, 3, 2, tzinfo=UTC)
LATER = datetime(2026, 3, 3, tzinfo=UTC)
CAUSE = UUID(int=77)
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


def test_ten_thousand_files_are_told_in_parts_below_the_limit() -> None:
    copies = [(ref(number, "camera/" + "n" * 900), NOW) for number in range(10_000)]
    parts = deleted(CAUSE, "source", copies, NOW)
    assert sum(len(part.copies) for part in parts) == 10_000
    assert all(len(part.model_dump_json()) < 256 * 1024 for part in parts)
    assert {part.parts for part in parts} == {len(parts)}
    assert len({part.event_id("chile") for part in parts}) == len(parts)


def test_paths_of_the_longest_kind_fit() -> None:
    parts = deleted(CAUSE, "source", [(ref(n, "x" * 4095), NOW) for n in range(500)], NOW)
    assert max(len(part.model_dump_json()) for part in parts) < PART_BYTES + 10_000


def test_the_same_decision_is_the_same_event_whatever_the_order_and_the_time() -> None:
    copies = [(ref(number), NOW) for number in range(3)]
    first = deleted(CAUSE, "source", copies, NOW)[0]
    again = deleted(CAUSE, "source", copies[::-1], LATER)[0]
    assert first.event_id("chile") == again.event_id("chile")


def test_another_decision_is_another_event() -> None:
    copies = [(ref(number), NOW) for number in range(3)]
    assert batch_id(CAUSE, "source", copies) != batch_id(CAUSE, "source", copies[:2])
    assert batch_id(CAUSE, "source", copies) != batch_id(CAUSE, "buffer", copies)
    made_anew = [(one, LATER) for one, _ in copies]
    assert batch_id(CAUSE, "source", copies) != batch_id(CAUSE, "source", made_anew)


def test_an_unchanged_refusal_is_not_said_again() -> None:
    events = refused("source", [(ref(1), WHY, None), (ref(2), WHY, "retention"), (ref(3), WHY, "other")])
    said = [one.copy_ref.entity_id.int for event in events for one in event.refusals]
    assert said == [1, 3]
    assert refused("source", [(ref(2), WHY, "retention")]) == []
