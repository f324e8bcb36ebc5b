"""The table of what a copy may become."""

from contracts.states import COPY_STEPS, COPY_TRANSITIONS, CopyState, CopyStep, copy_sources

THERE = {CopyState.PRESENT, CopyState.STAGED, CopyState.DELETION_POSSIBLE, CopyState.DELETION_FAILED}


def test_every_step_and_every_state_is_in_the_table() -> None:
    assert set(COPY_STEPS) == set(CopyStep)
    assert {after for steps in COPY_STEPS.values() for after in steps} == set(CopyState)
    assert set(COPY_TRANSITIONS) == set(CopyState)


def test_what_is_deleted_comes_back_by_new_bytes_alone() -> None:
    assert COPY_TRANSITIONS[CopyState.DELETED] == {CopyState.PRESENT, CopyState.STAGED}
    for step in set(CopyStep) - {CopyStep.ARRIVED}:
        for after in COPY_STEPS[step]:
            sources = copy_sources(step, after)
            assert CopyState.DELETED not in sources or after is CopyState.DELETED


def test_new_bytes_count_whatever_there_was() -> None:
    for after in (CopyState.PRESENT, CopyState.STAGED):
        assert copy_sources(CopyStep.ARRIVED, after) == set(CopyState)


def test_what_goes_was_announced_or_is_told_by_an_old_log() -> None:
    announced = copy_sources(CopyStep.SCHEDULED, CopyState.DELETION_SCHEDULED)
    assert announced == THERE | {CopyState.DELETION_SCHEDULED}
    assert COPY_STEPS[CopyStep.BEGUN] == {CopyState.DELETION_IN_PROGRESS: {CopyState.DELETION_SCHEDULED}}


def test_what_was_announced_ends_or_is_undone() -> None:
    assert COPY_TRANSITIONS[CopyState.DELETION_SCHEDULED] == {
        CopyState.PRESENT,
        CopyState.STAGED,
        CopyState.DELETION_POSSIBLE,
        CopyState.DELETION_IN_PROGRESS,
    }
    assert COPY_TRANSITIONS[CopyState.DELETION_IN_PROGRESS] == {
        CopyState.PRESENT,
        CopyState.STAGED,
        CopyState.DELETION_POSSIBLE,
        CopyState.DELETION_FAILED,
        CopyState.DELETED,
    }


def test_passing_through_counts_as_being_before_it() -> None:
    assert CopyState.DELETION_SCHEDULED in copy_sources(CopyStep.DELETED, CopyState.DELETED)
    assert CopyState.DELETION_SCHEDULED in copy_sources(CopyStep.REFUSED, CopyState.DELETION_FAILED)


def test_staged_data_is_never_taken_for_a_tar() -> None:
    assert CopyState.STAGED not in copy_sources(CopyStep.REFUSED, CopyState.PRESENT)
    assert CopyState.STAGED not in copy_sources(CopyStep.REFUSED, CopyState.DELETION_POSSIBLE)
    assert CopyState.PRESENT not in copy_sources(CopyStep.REFUSED, CopyState.STAGED)
