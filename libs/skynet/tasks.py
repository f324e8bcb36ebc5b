"""What becomes of an optical imaging task.

Each decision takes the last event of the task, and returns the next one. A telescope tells how far it is as often as it
likes: what is no news is no event.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from contracts.skynet.fields import changed
from contracts.skynet.states import OPEN_TASKS, IllegalStep, TaskStatus, TaskStep, task_after
from contracts.skynet.tasks import (
    OpticalImagingTask,
    TaskAssetsChanged,
    TaskAssigned,
    TaskAssignment,
    TaskCanceled,
    TaskCompleted,
    TaskEvent,
    TaskExpired,
    TaskFailed,
    TaskFiled,
    TaskInterrupted,
    TaskProgressed,
    TaskResumed,
    TaskStarted,
)

TICK = timedelta(microseconds=1)
"""The least by which `modified_on` moves, whatever the clock says."""


class AssetChange(StrEnum):
    """How the assets of a task change."""

    ADDED = "added"
    """There is one more."""
    REMOVED = "removed"
    """There is one fewer."""
    BYTES_CHANGED = "bytes_changed"
    """The bytes of one came, or are others than before."""
    ROLE_CHANGED = "role_changed"
    """One contains something else than was said."""
    PROCESSED = "processed"
    """One has a newer output of processing."""
    RENDERED = "rendered"
    """One has other pictures."""
    TRANSFER_MOVED = "transfer_moved"
    """The transfer of one is further, or failed."""


AFFECTING = frozenset(
    {
        AssetChange.ADDED,
        AssetChange.REMOVED,
        AssetChange.BYTES_CHANGED,
        AssetChange.ROLE_CHANGED,
        AssetChange.PROCESSED,
    }
)
"""Those that affect data products; pictures and transfers do not."""


@dataclass(frozen=True, slots=True)
class Exposed:
    """How far a telescope says that it is with a task.

    Attributes:
        seconds: Exposed so far, in all.
        frames: Taken so far, in all.
        progress: From 0 to 1.
    """

    seconds: float
    frames: int
    progress: float


def file(task: OpticalImagingTask) -> TaskFiled:
    """A new task.

    Raises:
        pydantic.ValidationError: It is not unassigned.
    """
    return TaskFiled(turn=1, task=task)


def assign(known: TaskEvent, assignment: TaskAssignment) -> TaskAssigned:
    """A telescope is to execute it; the number is that of the next assignment.

    Raises:
        IllegalStep: It was begun, or is done with; or the number is another.
    """
    number = known.assignments + 1
    if assignment.number != number:
        raise IllegalStep(f"the next assignment is number {number}, not {assignment.number}")
    task = _after(
        known,
        TaskStep.ASSIGNED,
        assignment.assigned_on,
        {
            "ota_id": assignment.ota_id,
            "camera_id": assignment.camera_id,
            "instrument_id": assignment.instrument_id,
            "scheduler_run_id": assignment.scheduler_run_id,
            "planned_start_time": assignment.planned_start_time,
        },
    )
    return TaskAssigned(turn=known.turn + 1, task=task, assignments=number, assignment=assignment)


def start(known: TaskEvent, now: datetime) -> TaskStarted:
    """The telescope begins.

    Raises:
        IllegalStep: It is not pending, or its time was up.
    """
    if _expired(known.task, now):
        raise IllegalStep(f"the time of the task was up at {known.task.expiration_time}")
    task = _after(known, TaskStep.STARTED, now, {"actual_start_time": now})
    return TaskStarted(turn=known.turn + 1, task=task, assignments=known.assignments)


def progress(known: TaskEvent, exposed: Exposed, now: datetime) -> TaskProgressed | None:
    """The telescope says how far it is; None if it was further already.

    Raises:
        IllegalStep: The task is not active.
        pydantic.ValidationError: The progress is not from 0 to 1.
    """
    before = known.task
    task = _after(known, TaskStep.PROGRESSED, now, _furthest(before, exposed))
    if _measure(task) == _measure(before):
        return None
    return TaskProgressed(turn=known.turn + 1, task=task, assignments=known.assignments)


def complete(known: TaskEvent, exposed: Exposed, now: datetime) -> TaskCompleted:
    """It was executed.

    Raises:
        IllegalStep: It is not active.
    """
    update = {**_furthest(known.task, exposed), "progress": 1.0, "completed_on": now, "actual_end_time": now}
    task = _after(known, TaskStep.COMPLETED, now, update)
    return TaskCompleted(turn=known.turn + 1, task=task, assignments=known.assignments)


def fail(known: TaskEvent, reason: str, now: datetime) -> TaskFailed:
    """It cannot be executed.

    Raises:
        IllegalStep: It is not active.
    """
    task = _after(known, TaskStep.FAILED, now, {"actual_end_time": now})
    return TaskFailed(turn=known.turn + 1, task=task, assignments=known.assignments, reason=reason)


def expire(known: TaskEvent, now: datetime) -> TaskExpired | None:
    """Its time is up; None if it is not, or it was begun or is done with, or never given to a telescope."""
    if known.task.status is not TaskStatus.PENDING or not _expired(known.task, now):
        return None
    task = _after(known, TaskStep.EXPIRED, now, {})
    return TaskExpired(turn=known.turn + 1, task=task, assignments=known.assignments)


def interrupt(known: TaskEvent, reason: str, now: datetime) -> TaskInterrupted:
    """The telescope has to stop.

    Raises:
        IllegalStep: It is not active.
    """
    task = _after(known, TaskStep.INTERRUPTED, now, {})
    return TaskInterrupted(turn=known.turn + 1, task=task, assignments=known.assignments, reason=reason)


def resume(known: TaskEvent, now: datetime) -> TaskResumed:
    """The telescope goes on: what was exposed counts.

    Raises:
        IllegalStep: It was not interrupted.
    """
    task = _after(known, TaskStep.RESUMED, now, {})
    return TaskResumed(turn=known.turn + 1, task=task, assignments=known.assignments)


def cancel(known: TaskEvent, actor: str, now: datetime) -> TaskCanceled:
    """Nobody wants it any more.

    Raises:
        IllegalStep: It is done with.
    """
    ended = {"actual_end_time": now} if known.task.actual_start_time is not None else {}
    task = _after(known, TaskStep.CANCELED, now, ended)
    return TaskCanceled(turn=known.turn + 1, task=task, assignments=known.assignments, actor=actor)


def note_assets(known: TaskEvent, change: AssetChange, now: datetime) -> TaskAssetsChanged | None:
    """Its assets changed, whatever its status is; None if no data product is affected."""
    if change not in AFFECTING:
        return None
    task = _written(known.task, now, {"assets_revision": known.task.assets_revision + 1})
    return TaskAssetsChanged(turn=known.turn + 1, task=task, assignments=known.assignments)


def is_open(task: OpticalImagingTask) -> bool:
    """Whether something may still be done for it."""
    return task.status in OPEN_TASKS


def _after(
    known: TaskEvent, step: TaskStep, now: datetime, update: Mapping[str, object]
) -> OpticalImagingTask:
    return _written(known.task, now, {**update, "status": task_after(step, known.task.status)})


def _written(task: OpticalImagingTask, now: datetime, update: Mapping[str, object]) -> OpticalImagingTask:
    return changed(task, {**update, "modified_on": max(now, task.modified_on + TICK)})


def _expired(task: OpticalImagingTask, now: datetime) -> bool:
    return task.expiration_time is not None and now >= task.expiration_time


def _furthest(before: OpticalImagingTask, exposed: Exposed) -> dict[str, object]:
    return {
        "accumulated_exposure_time": max(before.accumulated_exposure_time, exposed.seconds),
        "observatory_acquired_frames": max(before.observatory_acquired_frames, exposed.frames),
        "progress": max(before.progress, exposed.progress),
    }


def _measure(task: OpticalImagingTask) -> tuple[float, int, float]:
    return (task.accumulated_exposure_time, task.observatory_acquired_frames, task.progress)
