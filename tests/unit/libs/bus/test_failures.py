"""What becomes of a failed message, decided by the kind of its error alone."""

import pytest

from contracts.states import FailureKind
from libs.bus.attempts import MOST_POSTPONEMENTS, Attempts
from libs.bus.failures import LONGEST_DELAY_S, UNEXPECTED_ATTEMPTS, Bury, Postpone, Redeliver, backoff, judge
from libs.errors import ChasquiError, Permanent, Poison, Postponed, Retriable, UserError

FULL = Retriable("disk_full", "the disk is full", "Make room.")
BROKEN = Permanent("broken", "it is broken", "Mend it.")
OPEN = Postponed("breaker_open", "the archive does not answer", "It is tried again by itself.", delay_s=8.0)


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        (Permanent, FailureKind.PERMANENT),
        (UserError, FailureKind.PERMANENT),
        (Poison, FailureKind.POISON),
    ],
)
def test_what_cannot_pass_by_itself_is_buried_at_once(kind: type[ChasquiError], failure: FailureKind) -> None:
    error = kind("broken", "it is broken", "Mend it.")
    assert judge(error, attempt=1, max_attempts=20) == Bury(error.problem, failure)


def test_what_may_pass_is_tried_up_to_the_limit() -> None:
    assert judge(FULL, attempt=19, max_attempts=20, jitter=1) == Redeliver(LONGEST_DELAY_S, FULL.problem)
    assert judge(FULL, attempt=20, max_attempts=20) == Bury(FULL.problem, FailureKind.EXHAUSTED)


def test_what_nobody_planned_for_is_buried_within_minutes() -> None:
    assert isinstance(judge(KeyError("x"), attempt=UNEXPECTED_ATTEMPTS - 1, max_attempts=6000), Redeliver)
    buried = judge(KeyError("x"), attempt=UNEXPECTED_ATTEMPTS, max_attempts=6000)
    assert isinstance(buried, Bury)
    assert buried.failure is FailureKind.UNEXPECTED


def test_what_was_not_tried_waits_however_often_it_was_tried_before() -> None:
    for attempt in (1, 20, 1000):
        assert judge(OPEN, attempt=attempt, max_attempts=20, jitter=0) == Postpone(8.0, OPEN.problem)
    spread = judge(OPEN, attempt=1, max_attempts=20, jitter=1)
    assert spread == Postpone(10.0, OPEN.problem)


def test_of_a_group_what_was_tried_counts_before_what_was_not() -> None:
    group = BaseExceptionGroup("several", [OPEN, BaseExceptionGroup("inner", [OPEN, BROKEN])])
    assert judge(group, attempt=1, max_attempts=20) == Bury(BROKEN.problem, FailureKind.PERMANENT)
    only = BaseExceptionGroup("several", [OPEN, OPEN])
    assert isinstance(judge(only, attempt=1, max_attempts=20), Postpone)


def test_delays_double_and_are_bounded() -> None:
    delays = [backoff(attempt) for attempt in range(1, 40)]
    assert delays[:4] == [0.25, 0.5, 1.0, 2.0]
    assert delays[-1] == LONGEST_DELAY_S
    assert delays == sorted(delays)


def test_postponements_are_no_attempts_up_to_a_bound() -> None:
    assert Attempts(1).counted == 1
    assert Attempts(7, postponed=6).counted == 1
    assert Attempts(7, postponed=4).counted == 3
    assert Attempts(MOST_POSTPONEMENTS + 30, postponed=MOST_POSTPONEMENTS + 20).counted == 30


def test_what_ended_without_a_word_was_neither_postponed_nor_failed() -> None:
    assert Attempts(1).deaths == 0
    assert Attempts(9, postponed=3, failed=4).deaths == 1
    assert Attempts(2, postponed=2).deaths == 0


def test_a_tally_that_is_ahead_of_the_deliveries_makes_no_attempt_zero() -> None:
    """Killed between the note and the message's return: the note counts one delivery too many."""
    assert Attempts(2, postponed=2).counted == 1
