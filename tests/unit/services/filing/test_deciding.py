from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.associations import Exposure, ExposureNamed
from contracts.observations import (
    DeclaredFile,
    FileFiles,
    FilesFiled,
    FinishObservation,
    ObservationFinished,
    ObservationStarted,
    Outcome,
    StartObservation,
)
from contracts.states import FileState, LocationType
from libs.sites.models import Deployment, DiskLocation, InstrumentSettings, SiteSettings
from services.filing.answers import MOST_DETAILS, refused, status_of
from services.filing.decisions import Accept, Decision, Refuse
from services.filing.files import Registration, decide_files
from services.filing.observing import decide_finish, decide_start
from services.filing.world import FilesWorld, FinishWorld, KnownFile, KnownUnit

UNIT = uuid4()
START = datetime(2026, 3, 1, tzinfo=UTC)
CAMERA = InstrumentSettings(site="chile", source="disk", modules=("main", "guide"))
STARTED = ObservationStarted(executed_obs_unit_id=UNIT, instrument="camera", start_time=START)
RUNNING = KnownUnit(STARTED)
FINISHED = KnownUnit(
    STARTED,
    ObservationFinished(
        executed_obs_unit_id=UNIT,
        instrument="camera",
        end_time=START,
        outcome=Outcome.COMPLETED,
        file_count=1,
    ),
)


def deployment(**changes: Any) -> Deployment:
    return Deployment(
        version=1,
        observatory="O",
        telescope="T",
        sites={
            "chile": SiteSettings(
                locations={"disk": DiskLocation(type=LocationType.SOURCE, path=Path("/disk"))}
            ),
            "cologne": SiteSettings(),
        },
        instruments={"camera": CAMERA.model_copy(update=changes)},
    )


def registration(*files: DeclaredFile) -> Registration:
    return Registration(FileFiles(executed_obs_unit_id=UNIT, files=files), "camera", CAMERA, "cam", {})


def codes(decision: Decision) -> list[str]:
    assert isinstance(decision, Refuse)
    return [problem.code for problem in decision.problems]


def events(decision: Decision) -> list[FilesFiled]:
    assert isinstance(decision, Accept)
    assert all(isinstance(event, FilesFiled) for event in decision.events)
    return [event for event in decision.events if isinstance(event, FilesFiled)]


def known(state: FileState, sha256: str | None = None, module: str = "main") -> KnownFile:
    return KnownFile(module, None, sha256, state)


@pytest.mark.parametrize(
    ("changes", "name", "expected"),
    [
        ({}, "nobody", ["unknown_instrument"]),
        ({"available": False}, "camera", ["instrument_unavailable"]),
        ({"site": "cologne"}, "camera", ["instrument_elsewhere"]),
        (
            {"site": "cologne", "available": False},
            "camera",
            ["instrument_elsewhere", "instrument_unavailable"],
        ),
    ],
)
def test_an_observation_needs_its_instrument(changes: dict[str, Any], name: str, expected: list[str]) -> None:
    request = StartObservation(instrument=name, start_time=START)
    assert codes(decide_start(request, deployment(**changes), "chile", None)) == expected


def test_a_repeated_start_is_taken_even_if_the_instrument_left_meanwhile() -> None:
    request = StartObservation(instrument="camera", start_time=START, executed_obs_unit_id=UNIT)
    decision = decide_start(request, deployment(available=False), "chile", FINISHED)
    assert isinstance(decision, Accept)
    assert (decision.events, decision.answer.repeated) == ((), True)


def exposed(name: str = "J8C0A1Q1") -> StartObservation:
    return StartObservation(
        instrument="camera", start_time=START, executed_obs_unit_id=UNIT, exposure=Exposure(name=name)
    )


def test_which_exposure_it_is_is_told_with_its_start_or_later_and_once() -> None:
    named = ExposureNamed(executed_obs_unit_id=UNIT, exposure=Exposure(name="J8C0A1Q1"))
    decision = decide_start(exposed(), deployment(), "chile", None)
    assert isinstance(decision, Accept)
    assert decision.events == (STARTED, named)
    later = decide_start(exposed(), deployment(available=False), "chile", FINISHED)
    assert isinstance(later, Accept)
    assert (later.events, later.answer.repeated) == ((named,), False)
    again = decide_start(exposed(), deployment(), "chile", RUNNING, named.exposure)
    assert isinstance(again, Accept)
    assert (again.events, again.answer.repeated) == ((), True)


def test_an_observation_is_no_second_exposure() -> None:
    decision = decide_start(exposed("J8C0A1Q2"), deployment(), "chile", RUNNING, Exposure(name="J8C0A1Q1"))
    assert codes(decision) == ["observation_differs"]
    assert isinstance(decision, Refuse)
    assert "J8C0A1Q1" in decision.problems[0].reason


def test_another_start_of_the_same_id_says_what_differs() -> None:
    request = StartObservation(
        instrument="camera", start_time=START, executed_obs_unit_id=UNIT, obs_mode="fast"
    )
    decision = decide_start(request, deployment(), "chile", RUNNING)
    assert codes(decision) == ["observation_differs"]
    assert isinstance(decision, Refuse)
    assert "obs_mode" in decision.problems[0].reason


def test_new_files_go_in_parts_that_name_nothing_before() -> None:
    files = tuple(DeclaredFile(path=f"{n}") for n in range(1001))
    found = events(decide_files(registration(*files), FilesWorld(RUNNING, last=uuid4())))
    assert [len(event.files) for event in found] == [500, 500, 1]
    assert {event.after for event in found} == {None}
    assert found[0].files[0].path == "cam/0"
    assert found[0].files[0].module == "main"


@pytest.mark.parametrize("state", [FileState.FILED, FileState.MISSING, FileState.REFUSED])
@pytest.mark.parametrize("unit", [RUNNING, FINISHED], ids=["running", "finished"])
def test_a_declaration_is_corrected_until_the_file_is_scanned(state: FileState, unit: KnownUnit) -> None:
    last = uuid4()
    world = FilesWorld(unit, mine={"cam/a": known(state, "0" * 64)}, last=last)
    [event] = events(decide_files(registration(DeclaredFile(path="a", sha256="1" * 64)), world))
    assert event.after == last


@pytest.mark.parametrize("state", [FileState.SCANNED, FileState.PLANNED, FileState.PACKAGED])
def test_not_later(state: FileState) -> None:
    world = FilesWorld(RUNNING, mine={"cam/a": known(state)})
    assert codes(decide_files(registration(DeclaredFile(path="a", size=1)), world)) == [
        "file_already_packaged"
    ]
    same = decide_files(registration(DeclaredFile(path="a")), world)
    assert isinstance(same, Accept)
    assert same.answer.repeated


def test_a_refused_file_filed_again_as_it_was_is_looked_at_once_more() -> None:
    world = FilesWorld(FINISHED, mine={"cam/a": known(FileState.REFUSED)}, last=UNIT)
    [event] = events(decide_files(registration(DeclaredFile(path="a")), world))
    assert event.after == UNIT


def test_a_finished_observation_takes_no_new_file() -> None:
    world = FilesWorld(FINISHED, mine={"cam/a": known(FileState.FILED)})
    files = (DeclaredFile(path="a"), DeclaredFile(path="b"))
    assert codes(decide_files(registration(*files), world)) == ["observation_finished"]


def test_all_problems_are_told_together() -> None:
    world = FilesWorld(
        RUNNING,
        mine={"cam/p": known(FileState.PACKAGED)},
        elsewhere={"cam/e": UUID(int=1), "cam/m": UUID(int=1)},
    )
    files = (
        DeclaredFile(path="d"),
        DeclaredFile(path="d"),
        DeclaredFile(path="e"),
        DeclaredFile(path="m", module="other"),
        DeclaredFile(path="p", size=3),
    )
    assert codes(decide_files(registration(*files), world)) == [
        "duplicate_path",
        "file_filed_elsewhere",
        "unknown_module",
        "file_filed_elsewhere",
        "file_already_packaged",
    ]
    assert codes(decide_files(registration(*files), FilesWorld(None))) == ["observation_not_started"]


@pytest.mark.parametrize(
    ("outcome", "count", "minutes", "expected"),
    [
        (Outcome.COMPLETED, 0, 1, ["no_files"]),
        (Outcome.COMPLETED, 0, -1, ["end_before_start", "no_files"]),
        (Outcome.ABORTED, 0, -1, ["end_before_start"]),
    ],
)
def test_an_end_that_cannot_be(outcome: Outcome, count: int, minutes: int, expected: list[str]) -> None:
    request = FinishObservation(
        executed_obs_unit_id=UNIT, end_time=START + timedelta(minutes=minutes), outcome=outcome
    )
    assert codes(decide_finish(request, FinishWorld(RUNNING, count))) == expected


def test_an_aborted_observation_may_be_empty_and_as_short_as_a_moment() -> None:
    request = FinishObservation(executed_obs_unit_id=UNIT, end_time=START, outcome=Outcome.ABORTED)
    decision = decide_finish(request, FinishWorld(RUNNING, 0))
    assert isinstance(decision, Accept)
    assert len(decision.events) == 1


def test_an_answer_tells_a_hundred_problems_and_counts_the_rest() -> None:
    world = FilesWorld(RUNNING, elsewhere={f"cam/{n}": UUID(int=1) for n in range(300)})
    files = tuple(DeclaredFile(path=f"{n}") for n in range(300))
    decision = decide_files(registration(*files), world)
    assert isinstance(decision, Refuse)
    answer = refused(decision.problems)
    assert len(answer.details) == MOST_DETAILS
    assert "300" in answer.problem.reason
    assert status_of(answer, new=201) == 409
