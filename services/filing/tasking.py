"""Whether a task may be filed, and what may happen to it: pure decisions."""

from collections.abc import Callable, Mapping
from typing import Final

from contracts.problems import Problem
from contracts.skynet.requests import EntityAccepted, ExposedSoFar, FileTask, PlannedTask, ReportTask
from contracts.skynet.states import TASK_STEPS, IllegalStep, TaskStatus, TaskStep, task_after
from contracts.skynet.tasks import OpticalImagingTask, TaskAssignment, TaskEvent
from libs.skynet import tasks
from libs.skynet.tasks import Exposed
from services.filing.decisions import Accept, Decision, Refuse
from services.filing.network_world import Known, TaskWorld, elsewhere, number_taken

RESCHEDULED: Final = frozenset(
    {"ota_id", "camera_id", "instrument_id", "scheduler_run_id", "planned_start_time"}
)
"""What an assignment changes of a task."""

IDEMPOTENT: Final = {TaskStep.EXPIRED: TaskStatus.NOT_ATTEMPTED, TaskStep.CANCELED: TaskStatus.CANCELED}
"""Steps that are no news where they lead to, whoever says so."""


def decide_task(request: FileTask, world: TaskWorld) -> Decision:
    """Whether there may be such a task. What was planned of one that there is does not change by filing it again."""
    plan = request.task
    if world.known is not None:
        return _again(plan, world.known, world.site)
    if world.number_of is not None:
        return Refuse((number_taken("task", plan.id, world.number_of),))
    task = OpticalImagingTask(
        **dict(plan),
        accumulated_exposure_time=0.0,
        observatory_acquired_frames=0,
        status=TaskStatus.UNASSIGNED,
        modified_on=request.at,
        progress=0.0,
        assets_revision=0,
    )
    return _accept(tasks.file(task))


def decide_step(request: ReportTask, world: TaskWorld) -> Decision:
    """Whether this may happen to a task now."""
    if world.known is None:
        return Refuse((unknown_task(str(request.task_uid)),))
    if world.known.site != world.site:
        return Refuse((elsewhere("task", request.task_uid, world.known.site, world.site),))
    known = world.known.last
    no_news = IDEMPOTENT.get(request.step) is known.task.status or _is_overtaken(known, request)
    if world.said_before or no_news:
        return _repeated(known)
    try:
        event = _STEPS[request.step](known, request)
    except IllegalStep as error:
        return Refuse((_illegal(known, str(error)),))
    if problem := _contradiction(known, request):
        return Refuse((problem,))
    return _repeated(known) if event is None else _accept(event)


def unknown_task(uid: str) -> Problem:
    """The problem of a task that nobody filed."""
    return Problem(
        code="task_unknown",
        reason=f"no task {uid} was filed here",
        remedy="File the task first.",
    )


def _again(plan: PlannedTask, known: Known[TaskEvent], site: str) -> Decision:
    if known.site != site:
        return Refuse((elsewhere("task", plan.uid, known.site, site),))
    mutable = RESCHEDULED if known.last.assignments else frozenset()
    names = [name for name, value in plan if name not in mutable and value != getattr(known.last.task, name)]
    if not names:
        return _repeated(known.last)
    problem = Problem(
        code="task_differs",
        reason=f"task {plan.uid} was filed before with another {', '.join(names)}",
        remedy="Repeat the filing as it was sent first, or give the new task a uid of its own.",
    )
    return Refuse((problem,))


def _accept(event: TaskEvent) -> Accept:
    return Accept((event,), EntityAccepted(uid=event.task.uid, turn=event.turn))


def _repeated(known: TaskEvent) -> Accept:
    return Accept((), EntityAccepted(uid=known.task.uid, turn=known.turn, repeated=True))


def _is_overtaken(known: TaskEvent, request: ReportTask) -> bool:
    """A report of progress that comes after a later word on a task that was as far already: it is no news."""
    return (
        request.step is TaskStep.PROGRESSED
        and request.exposed is not None
        and known.task.actual_start_time is not None
        and request.at <= known.task.modified_on
        and all(told <= before for _, told, before in _measures(request.exposed, known.task))
    )


def _assigned(known: TaskEvent, request: ReportTask) -> TaskEvent:
    told = request.assignment
    if told is None:
        raise IllegalStep("it is said to be assigned, but not to whom")
    assignment = TaskAssignment(number=known.assignments + 1, assigned_on=request.at, **dict(told))
    return tasks.assign(known, assignment)


def _expired(known: TaskEvent, request: ReportTask) -> TaskEvent:
    task_after(TaskStep.EXPIRED, known.task.status)
    event = tasks.expire(known, request.at)
    if event is None:
        raise IllegalStep(f"the time of the task is not up at {request.at.isoformat()}")
    return event


def _exposed(known: TaskEvent, request: ReportTask) -> Exposed:
    """As reported; as known where nothing is."""
    told = request.exposed
    if told is None:
        task = known.task
        return Exposed(task.accumulated_exposure_time, task.observatory_acquired_frames, task.progress)
    return Exposed(told.accumulated_exposure_time, told.observatory_acquired_frames, told.progress)


_STEPS: Final[Mapping[TaskStep, Callable[[TaskEvent, ReportTask], TaskEvent | None]]] = {
    TaskStep.ASSIGNED: _assigned,
    TaskStep.STARTED: lambda known, request: tasks.start(known, request.at),
    TaskStep.PROGRESSED: lambda known, request: tasks.progress(known, _exposed(known, request), request.at),
    TaskStep.COMPLETED: lambda known, request: tasks.complete(known, _exposed(known, request), request.at),
    TaskStep.FAILED: lambda known, request: tasks.fail(known, request.reason or "", request.at),
    TaskStep.EXPIRED: _expired,
    TaskStep.INTERRUPTED: lambda known, request: tasks.interrupt(known, request.reason or "", request.at),
    TaskStep.RESUMED: lambda known, request: tasks.resume(known, request.at),
    TaskStep.CANCELED: lambda known, request: tasks.cancel(known, request.actor or "", request.at),
}

_ENDING: Final = frozenset({TaskStep.COMPLETED, TaskStep.FAILED, TaskStep.CANCELED})


def _contradiction(known: TaskEvent, request: ReportTask) -> Problem | None:
    task = known.task
    if request.exposed is not None and request.at > task.modified_on:
        fallen = [
            f"{name} is {told:g} and was {before:g}"
            for name, told, before in _measures(request.exposed, task)
            if told < before
        ]
        if fallen:
            return Problem(
                code="progress_falls",
                reason=f"task {task.uid}: {', '.join(fallen)}",
                remedy="Report all that was exposed for the task since it was started, not since it was resumed.",
            )
    begun = task.actual_start_time
    if request.step in _ENDING and begun is not None and request.at < begun:
        return Problem(
            code="end_before_start",
            reason=f"it ends at {request.at.isoformat()}, before its start at {begun.isoformat()}",
            remedy="Correct 'at'; both times are taken from the node's clock.",
        )
    return None


def _measures(told: ExposedSoFar, known: OpticalImagingTask) -> tuple[tuple[str, float, float], ...]:
    """The name of each measure of progress, what is told, and what is known."""
    return tuple((name, value, getattr(known, name)) for name, value in told)


def _illegal(known: TaskEvent, reason: str) -> Problem:
    status = known.task.status
    steps = [step.value for step, (_, sources) in TASK_STEPS.items() if status in sources]
    remedy = (
        f"A task that is {status} can be: {', '.join(steps)}."
        if steps
        else f"Nothing more happens to a task that is {status}: file a new one."
    )
    return Problem(code="task_step_illegal", reason=f"task {known.task.uid}: {reason}", remedy=remedy)
