"""Which files go into a package now."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.packages import package_id
from contracts.states import ObservationState
from libs.packaging import Envelope, PayloadFile
from services.packager.planning import (
    Limits,
    ModuleFiles,
    Phase,
    choose,
    number_of,
    phase,
    worth_reading,
)

ROOM = Envelope(name_bytes=60, info_bytes=500)
LIMITS = Limits(max_bytes=100_000, max_files=4)


def files(*sizes: int) -> list[PayloadFile]:
    return [PayloadFile(f"camera/{n:04d}.fits", size, n) for n, size in enumerate(sizes)]


def counted(free_files: int, free_bytes: int) -> ModuleFiles:
    return ModuleFiles("main", "source", free_files, free_bytes, awaited=0)


@pytest.mark.parametrize(
    ("state", "awaited", "expected"),
    [
        (None, 0, Phase.OPEN),
        (ObservationState.RUNNING, 0, Phase.OPEN),
        (ObservationState.FINISHED, 1, Phase.OPEN),
        (ObservationState.FINISHED, 0, Phase.CLOSED),
        (ObservationState.ABORTED, 0, Phase.CLOSED),
    ],
)
def test_is_closed_once_finished_and_nothing_is_awaited(
    state: ObservationState | None, awaited: int, expected: Phase
) -> None:
    assert phase(state, awaited) is expected


def test_an_open_observation_gives_only_full_packages() -> None:
    chosen = choose(files(10, 10, 10, 10, 10), Phase.OPEN, LIMITS, ROOM)
    assert [[file.path for file in package] for package in chosen] == [
        [f"camera/{n:04d}.fits" for n in range(4)]
    ]


def test_an_open_observation_keeps_what_fills_no_package() -> None:
    assert choose(files(10, 10, 10), Phase.OPEN, LIMITS, ROOM) == []
    assert choose([], Phase.OPEN, LIMITS, ROOM) == []


def test_a_package_that_is_full_to_the_last_file_needs_no_further_file() -> None:
    assert [len(p) for p in choose(files(10, 10, 10, 10), Phase.OPEN, LIMITS, ROOM)] == [4]
    assert [len(p) for p in choose(files(200_000), Phase.OPEN, LIMITS, ROOM)] == [1]


def test_a_closed_observation_gives_everything() -> None:
    assert [len(p) for p in choose(files(*[10] * 9), Phase.CLOSED, LIMITS, ROOM)] == [4, 4, 1]


def test_a_package_stays_below_its_limit_in_bytes() -> None:
    chosen = choose(files(40_000, 40_000, 40_000), Phase.CLOSED, LIMITS, ROOM)
    assert [len(package) for package in chosen] == [2, 1]


@given(
    st.lists(st.integers(0, 60_000), max_size=30), st.sampled_from(Phase), st.randoms(use_true_random=False)
)
def test_no_file_is_chosen_twice_or_lost(sizes: list[int], now: Phase, random: object) -> None:
    wanted = files(*sizes)
    shuffled = sorted(wanted, key=lambda _: random.random())  # type: ignore[attr-defined]  # a random.Random
    chosen = choose(shuffled, now, LIMITS, ROOM)
    listed = [file for package in chosen for file in package]
    assert listed == wanted[: len(listed)]
    assert now is Phase.OPEN or listed == wanted
    assert chosen == choose(wanted, now, LIMITS, ROOM)


@given(st.lists(st.integers(0, 60_000), max_size=30), st.sampled_from(Phase))
def test_the_cheap_question_never_overlooks_a_package(sizes: list[int], now: Phase) -> None:
    wanted = files(*sizes)
    if choose(wanted, now, LIMITS, ROOM):
        assert worth_reading(counted(len(sizes), sum(sizes)), now, LIMITS)


def test_the_cheap_question_spares_the_list_of_a_young_observation() -> None:
    assert not worth_reading(counted(3, 30), Phase.OPEN, LIMITS)
    assert not worth_reading(counted(0, 0), Phase.CLOSED, LIMITS)
    assert worth_reading(counted(1, 0), Phase.CLOSED, LIMITS)


def test_finds_the_number_of_a_package_that_was_never_announced() -> None:
    unit = uuid4()
    assert number_of(package_id(unit, "main", 8), unit, "main", highest=7) == 8
    assert number_of(package_id(unit, "guide", 8), unit, "main", highest=7) is None
