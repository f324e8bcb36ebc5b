"""What may be filed of a task and happen to it, and that no request has a second effect."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.skynet.requests import (
    Assigned,
    EntityAccepted,
    ExposedSoFar,
    FileTask,
    PlannedTask,
    ReportTask,
)
from contracts.skynet.states import TASK_STEPS, TaskStatus, TaskStep
from contracts.skynet.tasks import TaskEvent
from services.filing.decisions import Accept, Decision, Refuse
from services.filing.network import id_of
from services.filing.network_world import Known, TaskWorld
from services.filing.tasking import decide_step, decide_task
from tests.support.histories import skynet

SITE = "chile"
NIGHT = datetime(2026, 9, 1, 22, tzinfo=UTC)
PLAN = PlannedTask(
    **{name: value for name, value in skynet.task(1, NIGHT) if name in PlannedTask.model_fields}
)
UID = PLAN.uid


def at(minutes: float) -> datetime:
    return NIGHT + timedelta(minutes=minutes)


def exposed(share: float) -> ExposedSoFar:
    return ExposedSoFar(
        accumulated_exposure_time=600 * share, observatory_acquired_frames=round(10 * share), progress=share
    )


ASSIGNED = Assigned(assigned_by="the scheduler", ota_id=2, camera_id=3, instrument_id=5)
EXTRA: dict[TaskStep, dict[str, Any]] = {
    TaskStep.ASSIGNED: {"assignment": ASSIGNED},
    TaskStep.PROGRESSED: {"exposed": exposed(0.5)},
    TaskStep.FAILED: {"reason": "the mount does not move"},
    TaskStep.INTERRUPTED: {"reason": "clouds"},
    TaskStep.CANCELED: {"actor": "an observer"},
}


def report(step: TaskStep, minutes: float, **changes: Any) -> ReportTask:
    return ReportTask(task_uid=UID, step=step, at=at(minutes), **{**EXTRA.get(step, {}), **changes})


class Log:
    """What was said of one task, and because of what."""

    def __init__(self) -> None:
        self.events: list[TaskEvent] = []
        self.causes: set[UUID] = set()

    def world(self, request: ReportTask | None = None) -> TaskWorld:
        known = Known(self.events[-1], SITE) if self.events else None
        said_before = request is not None and id_of("filing.task_step", request) in self.causes
        return TaskWorld(SITE, known, said_before)

    def file(self, plan: PlannedTask = PLAN, minutes: float = 0) -> Decision:
        return self._kept(decide_task(FileTask(task=plan, at=at(minutes)), self.world()), None)

    def report(self, step: TaskStep, minutes: float, **changes: Any) -> Decision:
        return self.tell(report(step, minutes, **changes))

    def tell(self, request: ReportTask) -> Decision:
        return self._kept(decide_step(request, self.world(request)), request)

    def _kept(self, decision: Decision, request: ReportTask | None) -> Decision:
        if isinstance(decision, Accept):
            for event in decision.events:
                assert isinstance(event, TaskEvent)
                self.events.append(event)
                if request is not None:
                    self.causes.add(id_of("filing.task_step", request))
        return decision


@pytest.fixture
def log() -> Log:
    filed = Log()
    filed.file()
    return filed


def refusal(decision: Decision) -> str:
    assert isinstance(decision, Refuse), decision
    [problem] = decision.problems
    assert problem.reason
    assert problem.remedy
    return problem.code


def accepted(decision: Decision) -> EntityAccepted:
    assert isinstance(decision, Accept), decision
    assert isinstance(decision.answer, EntityAccepted)
    assert decision.answer.repeated == (not decision.events)
    return decision.answer


def started(log: Log) -> Log:
    for step in (TaskStep.ASSIGNED, TaskStep.STARTED):
        accepted(log.report(step, 1))
    return log


def test_a_task_from_filing_to_completion(log: Log) -> None:
    started(log)
    turns = [
        accepted(log.report(TaskStep.PROGRESSED, 5)).turn,
        accepted(log.report(TaskStep.INTERRUPTED, 6)).turn,
        accepted(log.report(TaskStep.RESUMED, 8)).turn,
        accepted(log.report(TaskStep.COMPLETED, 13, exposed=exposed(1))).turn,
    ]
    assert turns == [4, 5, 6, 7]
    task = log.events[-1].task
    assert (task.status, task.camera_id, task.progress) == (TaskStatus.COMPLETED, 3, 1.0)
    assert (task.actual_start_time, task.completed_on) == (at(1), at(13))
    assert task.observatory_acquired_frames == 10


def test_a_task_that_is_filed_again_is_repeated_or_differs(log: Log) -> None:
    assert accepted(log.file(minutes=3)).repeated
    other = PLAN.model_copy(update={"total_exposures": 11, "camera_id": 8})
    decision = log.file(other)
    assert refusal(decision) == "task_differs"
    assert isinstance(decision, Refuse)
    assert "camera_id, total_exposures" in decision.problems[0].reason
    accepted(log.report(TaskStep.ASSIGNED, 1))
    assert accepted(log.file()).repeated
    assert refusal(log.file(PLAN.model_copy(update={"expiration_time": None}))) == "task_differs"
    assert [event.fact for event in log.events] == ["filed", "assigned"]


def test_a_number_is_of_one_task() -> None:
    request = FileTask(task=PLAN, at=NIGHT)
    assert refusal(decide_task(request, TaskWorld(SITE, number_of=uuid4()))) == "number_taken"


def test_what_is_unknown_or_elsewhere(log: Log) -> None:
    step = report(TaskStep.STARTED, 1)
    assert refusal(decide_step(step, TaskWorld(SITE))) == "task_unknown"
    elsewhere = TaskWorld(SITE, Known(log.events[-1], "cologne"))
    assert refusal(decide_step(step, elsewhere)) == "task_elsewhere"
    assert refusal(decide_task(FileTask(task=PLAN, at=NIGHT), elsewhere)) == "task_elsewhere"


BEGUN = (TaskStep.ASSIGNED, TaskStep.STARTED)
WAYS: dict[TaskStatus, tuple[TaskStep, ...]] = {
    TaskStatus.UNASSIGNED: (),
    TaskStatus.PENDING: (TaskStep.ASSIGNED,),
    TaskStatus.NOT_ATTEMPTED: (TaskStep.ASSIGNED, TaskStep.EXPIRED),
    TaskStatus.CANCELED: (TaskStep.CANCELED,),
    TaskStatus.ACTIVE: BEGUN,
    TaskStatus.COMPLETED: (*BEGUN, TaskStep.COMPLETED),
    TaskStatus.FAILED: (*BEGUN, TaskStep.FAILED),
    TaskStatus.INTERRUPTED: (*BEGUN, TaskStep.INTERRUPTED),
}


def reached(status: TaskStatus) -> Log:
    """A task of this status; the last word on it is a quarter of an hour old."""
    log = Log()
    log.file()
    for step in WAYS[status]:
        accepted(log.report(step, 9 * 60 if step is TaskStep.EXPIRED else 1))
    assert log.events[-1].task.status is status
    return log


@pytest.mark.parametrize("status", TaskStatus)
@pytest.mark.parametrize("step", TaskStep)
def test_every_step_from_every_status(status: TaskStatus, step: TaskStep) -> None:
    after, sources = TASK_STEPS[step]
    log = reached(status)
    before = list(log.events)
    decision = log.report(step, 9 * 60 + 1 if step is TaskStep.EXPIRED else 16)
    if status in sources:
        assert not accepted(decision).repeated
        assert log.events[-1].task.status is after
    elif step in {TaskStep.EXPIRED, TaskStep.CANCELED} and status is after:
        assert accepted(decision).repeated
        assert log.events == before
    else:
        assert refusal(decision) == "task_step_illegal"
        assert log.events == before


def test_the_remedy_says_what_can_be_done(log: Log) -> None:
    decision = log.report(TaskStep.STARTED, 1)
    assert isinstance(decision, Refuse)
    assert decision.problems[0].remedy == "A task that is unassigned can be: assigned, canceled."
    log.report(TaskStep.CANCELED, 2)
    done = log.report(TaskStep.STARTED, 3)
    assert isinstance(done, Refuse)
    assert "Nothing more happens" in done.problems[0].remedy


def test_a_task_whose_time_is_up_is_not_started_and_one_whose_time_is_not_does_not_expire(log: Log) -> None:
    log.report(TaskStep.ASSIGNED, 1)
    assert refusal(log.report(TaskStep.EXPIRED, 2)) == "task_step_illegal"
    assert refusal(log.report(TaskStep.STARTED, 8 * 60)) == "task_step_illegal"
    assert not accepted(log.report(TaskStep.EXPIRED, 8 * 60)).repeated


def test_progress_never_falls(log: Log) -> None:
    started(log)
    accepted(log.report(TaskStep.PROGRESSED, 5))
    lower = exposed(0.5).model_copy(update={"observatory_acquired_frames": 4})
    decision = log.report(TaskStep.PROGRESSED, 6, exposed=lower)
    assert refusal(decision) == "progress_falls"
    assert isinstance(decision, Refuse)
    assert "observatory_acquired_frames is 4 and was 5" in decision.problems[0].reason
    assert refusal(log.report(TaskStep.COMPLETED, 7, exposed=exposed(0.4))) == "progress_falls"
    assert len(log.events) == 4


def test_a_report_that_was_overtaken_is_no_news(log: Log) -> None:
    started(log)
    accepted(log.report(TaskStep.PROGRESSED, 5))
    assert accepted(log.report(TaskStep.PROGRESSED, 4, exposed=exposed(0.4))).repeated
    assert accepted(log.report(TaskStep.PROGRESSED, 9, exposed=exposed(0.5))).repeated
    late = accepted(log.report(TaskStep.PROGRESSED, 4, exposed=exposed(0.7)))
    assert not late.repeated
    assert log.events[-1].task.progress == 0.7


def test_a_task_does_not_end_before_it_began(log: Log) -> None:
    started(log)
    for step in (TaskStep.COMPLETED, TaskStep.FAILED, TaskStep.CANCELED):
        assert refusal(log.report(step, 0.5)) == "end_before_start"


def test_an_interruption_that_comes_again_after_the_task_was_resumed_changes_nothing(log: Log) -> None:
    started(log)
    for step, minutes in ((TaskStep.INTERRUPTED, 6), (TaskStep.RESUMED, 8)):
        accepted(log.report(step, minutes))
    assert accepted(log.report(TaskStep.INTERRUPTED, 6)).repeated
    assert log.events[-1].task.status is TaskStatus.ACTIVE
    assert not accepted(log.report(TaskStep.INTERRUPTED, 9)).repeated


@pytest.mark.parametrize(
    ("step", "changes"),
    [
        (TaskStep.ASSIGNED, {"assignment": None}),
        (TaskStep.PROGRESSED, {"exposed": None}),
        (TaskStep.FAILED, {"reason": None}),
        (TaskStep.CANCELED, {"actor": None}),
        (TaskStep.STARTED, {"reason": "clouds"}),
        (TaskStep.STARTED, {"exposed": exposed(0.1)}),
        (TaskStep.COMPLETED, {"actor": "an observer"}),
    ],
)
def test_a_step_says_what_it_takes_and_nothing_else(step: TaskStep, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="the step"):
        report(step, 1, **changes)


_REPORTS = st.builds(
    lambda step, minutes, share: report(
        step, minutes, **({"exposed": exposed(share)} if step is TaskStep.PROGRESSED else {})
    ),
    st.sampled_from(TaskStep),
    st.integers(0, 600),
    st.sampled_from([0.0, 0.3, 0.6, 1.0]),
)


@given(st.lists(_REPORTS, max_size=25), st.data())
def test_no_request_has_a_second_effect(requests: list[ReportTask], data: st.DataObject) -> None:
    log = Log()
    log.file()
    taken: list[ReportTask] = []
    for request in requests:
        if isinstance(log.tell(request), Accept):
            taken.append(request)
        if taken:
            before, again = list(log.events), data.draw(st.sampled_from(taken))
            # What was accepted and stored is known for ever; what was no news then may be none that fits now.
            decision = log.tell(again)
            assert log.events == before
            if id_of("filing.task_step", again) in log.causes:
                assert accepted(decision).repeated
    told = [event.turn for event in log.events]
    assert told == list(range(1, len(told) + 1))
    progress = [event.task.progress for event in log.events]
    assert progress == sorted(progress)
