"""What an association waits for, in words."""

from datetime import UTC, datetime
from typing import Any

import pytest

from libs.insight.members import Member, exposure_missing
from libs.insight.waiting import waiting_for

NOW = datetime(2026, 9, 1, tzinfo=UTC)
OPEN = {"association_id": "J4K601010", "state": "open", "expected": 2, "opened_at": NOW, "site": "chile"}
COLLECTED = {**OPEN, "state": "collected", "collected_at": NOW}


def exposure(number: int, status: str = "U", *, since: datetime | None = None, missing: str = "") -> Member:
    return Member(
        name=f"J4K6010{number}",
        type="EXP",
        member_status=status,
        product_status="E",
        since=since,
        missing=missing,
    )


def product(status: str = "N", missing: str = "its data set was not made") -> Member:
    return Member(name="J4K601010", type="PROD", member_status="P", product_status=status, missing=missing)


HERE, AWAY = exposure(1, since=NOW), exposure(2, missing="being observed")
LATE = exposure(2, "O", since=NOW)


@pytest.mark.parametrize(
    ("row", "members", "now", "then", "remedy"),
    [
        (
            OPEN,
            [HERE, AWAY, product()],
            "1 exposure: J4K60102 (being observed). Here: 1.",
            "no deadline",
            "collect",
        ),
        ({**OPEN, "deadline": NOW}, [AWAY, AWAY], "2 exposures", "as failed", ""),
        ({**OPEN, "deadline": NOW}, [HERE, AWAY], "1 exposure:", "the others are orphans", "collect"),
        (OPEN, [HERE], "1 exposure that nobody has named", "no deadline", "collect"),
        (
            {**OPEN, "expected": None, "deadline": NOW},
            [HERE],
            "nobody said how many",
            "at its deadline",
            "collect",
        ),
        (OPEN, [HERE, HERE], "For the associator", "all together", "collect"),
        (
            COLLECTED,
            [HERE, product()],
            "data sets of its products: J4K601010",
            "counts",
            "made J4K601010 0 --file",
        ),
        (COLLECTED, [HERE, LATE, product()], "1 exposure came after", "orphans", "reopen J4K601010"),
        (COLLECTED, [HERE, product("C", "")], "Nothing", "Nothing", ""),
        (
            {**OPEN, "state": "failed", "problem_reason": "none was there"},
            [AWAY],
            "none was there",
            "orphan",
            "reopen",
        ),
        ({}, [], "plan to be known", "event arrives", ""),
    ],
)
def test_what_it_waits_for(
    row: dict[str, Any], members: list[Member], now: str, then: str, remedy: str
) -> None:
    told = waiting_for("asn_association", row, {"members": members})
    assert now in told.now
    assert then in told.next
    assert remedy in told.remedy
    assert bool(told.remedy) == bool(remedy)


def test_when_the_deadline_comes_and_who_acts_is_told() -> None:
    told = waiting_for("asn_association", {**OPEN, "deadline": NOW}, {"members": [HERE, AWAY]})
    assert (told.since, told.next_at, told.by, told.at) == (NOW, NOW, "associator", "chile")


def test_of_many_missing_exposures_some_are_named() -> None:
    told = waiting_for("asn_association", OPEN, {"members": [AWAY] * 8})
    assert told.now.count("being observed") == 5
    assert "and 3 more" in told.now


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"arrived_at": NOW}, ""),
        ({"observation": None}, "not filed yet"),
        ({"observation": 1, "state": "running"}, "being observed"),
        ({"observation": 1, "state": "aborted"}, "aborted"),
        (
            {"observation": 1, "state": "finished", "packaged": 1, "file_count": 3},
            "1 of 3 files are packaged",
        ),
        ({"observation": 1, "state": None}, "not known here yet"),
    ],
)
def test_why_an_exposure_is_missing(row: dict[str, Any], why: str) -> None:
    assert why in exposure_missing({"arrived_at": None, **row})
