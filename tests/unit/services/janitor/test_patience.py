from datetime import UTC, datetime
from uuid import UUID

import pytest

from libs.service.resting import Patience
from libs.storage.s3_proof import Proof, ProofMode, Verdict
from services.janitor.asking import standing_of
from services.janitor.facts import Standing

KEY = UUID(int=1)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_what_stays_is_left_alone_for_longer_and_longer() -> None:
    clock = Clock()
    patience = Patience(clock, first_s=10.0, longest_s=60.0)
    pauses = []
    for _ in range(5):
        patience.rest(KEY, settled=False)
        start = clock.now
        while KEY in patience.tired_of():
            clock.now += 1
        pauses.append(clock.now - start)
    assert pauses == [10, 20, 40, 60, 60]


def test_what_is_settled_rests_only_for_the_projection() -> None:
    clock = Clock()
    patience = Patience(clock, first_s=10.0, longest_s=60.0)
    for _ in range(4):
        patience.rest(KEY, settled=True)
    assert patience.tired_of() == [KEY]
    clock.now += 10
    assert patience.tired_of() == []


def test_what_was_forgotten_starts_anew() -> None:
    clock = Clock()
    patience = Patience(clock, first_s=10.0, longest_s=60.0)
    for _ in range(4):
        patience.rest(KEY, settled=False)
    clock.now += 1000
    assert patience.tired_of() == []
    patience.rest(KEY, settled=False)
    clock.now += 10
    assert patience.tired_of() == []


@pytest.mark.parametrize("verdict", list(Verdict))
def test_only_a_proof_is_whole(verdict: Verdict) -> None:
    for mode, good in ((ProofMode.HEAD, Standing.WHOLE), (ProofMode.BYTES, Standing.READ)):
        answer = Proof("k", mode, verdict, "", datetime.now(UTC), 0, "")
        found = standing_of(answer)
        assert (found in {Standing.WHOLE, Standing.READ}) == (verdict is Verdict.PROVEN)
        assert found is good or verdict is not Verdict.PROVEN


def test_what_could_not_be_looked_at_is_left_alone_for_no_longer() -> None:
    clock = Clock()
    patience = Patience(clock, first_s=10.0)
    for _ in range(3):
        patience.wait(KEY)
        assert patience.tired_of() == [KEY]
        clock.now += 10.0
        assert patience.tired_of() == []
    patience.rest(KEY, settled=False)
    clock.now += 10.0
    assert patience.tired_of() == [KEY]
    patience.wait(KEY)
    clock.now += 20.0
    assert patience.tired_of() == []
