"""A short campaign of simulated histories: ``make simulate`` plays long ones; see docs/simulation.md."""

from dataclasses import replace

import pytest

from tests.simulation.campaigns import never_collecting, play_all, play_beside, seeds_of
from tests.simulation.chaos import Fault, Settings
from tests.simulation.history import play
from tests.simulation.mutants import MUTANTS, Mutant, only
from tests.simulation.seams import simulated
from tests.simulation.sites import Layout

HISTORIES = 30


def test_every_invariant_holds_in_a_fixed_set_of_histories() -> None:
    tally = play_all(seeds_of("fixed", HISTORIES))

    assert tally.failed == {}
    assert tally.histories == HISTORIES
    assert {fault for fault in Fault if not tally.faults[fault]} <= {Fault.REPEATS}, (
        "a kind of fault never happens"
    )
    said = ("letter.buried.v1", "copy.deleted.v1", "package.archived.v1", "package.staged.v1")
    assert [one for one in said if not tally.events[one]] == []


@pytest.mark.parametrize("number", range(3))
def test_the_same_seed_gives_the_same_history(number: int) -> None:
    with simulated():
        first, second = (play(f"again:{number}") for _ in range(2))

    assert first.steps > 0
    assert first.digest == second.digest


def test_another_seed_gives_another_history() -> None:
    with simulated():
        assert play("again:0").digest != play("again:1").digest


def test_the_number_of_jobs_changes_nothing() -> None:
    one, two = (play_beside(seeds_of("jobs", 4), Settings(), jobs=jobs) for jobs in (1, 2))

    assert one.histories == 4
    assert replace(one, cpu_s=0.0) == replace(two, cpu_s=0.0)


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name.replace(" ", "_") for mutant in MUTANTS])
def test_a_planted_fault_is_found(mutant: Mutant) -> None:
    numbers = range(mutant.first, mutant.first + mutant.within)
    with never_collecting():
        with simulated(mutant.planted):
            number = next((one for one in numbers if _finds(mutant, one)), None)
        with simulated():
            assert number is not None
            assert _played(mutant, number) is None, "the same history is whole without the fault"


def _finds(mutant: Mutant, number: int) -> bool:
    broken = _played(mutant, number)
    return broken is not None and broken.startswith(mutant.finds)


def _played(mutant: Mutant, number: int) -> str | None:
    return play(f"mutant:{number}", mutant.settings, mutant.layout).broken


def test_a_disk_that_fails_while_the_janitor_looks_is_waited_for() -> None:
    with simulated():
        assert play("mutant:12", only(Fault.LOST_DISKS)).broken is None


def test_what_rots_in_one_archive_is_mended_from_another() -> None:
    tally = play_all(seeds_of("rot", 3), only(Fault.ARCHIVE_ROT), Layout.TWO_ARCHIVES)

    assert tally.failed == {}
    assert tally.faults[Fault.ARCHIVE_ROT]
    assert tally.events["copy.repaired.v1"]


def test_letters_are_retried_and_dropped_and_events_sent_again_at_any_moment() -> None:
    seeds = [f"second:{number}" for number in (0, 2, 19, 24, 25)]
    tally = play_all(seeds, only(Fault.SECOND_THOUGHTS, Fault.POISON, Fault.KILLS))

    assert tally.failed == {}
    assert tally.faults[Fault.SECOND_THOUGHTS]
    assert tally.events["letter.dropped.v1"] + tally.events["letter.retried.v1"]


@pytest.mark.parametrize("number", [17, 57, 444])
def test_a_file_that_is_put_back_after_it_was_cleared_is_told_of(number: int) -> None:
    with simulated(), never_collecting():
        outcome = play(f"away:{number}", only(Fault.RESTLESS_FILES, Fault.LOST_ACKS))

    assert outcome.broken is None


def test_what_was_moved_is_not_moved_again_while_the_ops_db_is_away() -> None:
    """It was archived and cleared at its destination by then: nobody would clear it there again."""
    with simulated(), never_collecting():
        assert play("20261128:1998").broken is None


def test_a_disk_that_goes_away_under_a_staged_file_is_waited_for() -> None:
    """It says nothing of the file, and nobody's defect is to be looked for."""
    with simulated(), never_collecting():
        assert play("77:3593").broken is None


def test_nothing_goes_wrong_without_faults() -> None:
    with simulated():
        outcome = play("calm", Settings(most=0))

    assert outcome.broken is None
    assert outcome.faults == []
