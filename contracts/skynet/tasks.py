"""Optical imaging tasks: what a telescope is to do, and how far it is."""

from uuid import UUID

from pydantic import Field, model_validator

from contracts.base import Event, Message, Utc
from contracts.skynet.fields import Count, Duration, Fraction, Id, Seconds, Text250, Turn
from contracts.skynet.states import TaskStatus, TaskType


class OpticalImagingTask(Message):
    """A task, with the fields of the network's own schema.

    Attributes:
        id: The network's number of it; `uid` is what it is known by everywhere.
        ota_id: The optical tube assembly.
        accumulated_exposure_time: Seconds exposed so far, as the telescope tells them.
        observatory_acquired_frames: Frames taken so far.
        required_exposure_time: Seconds that the signal-to-noise ratio takes.
        total_exposures: How many exposures it is made of.
        max_exposure_time: Seconds of one frame at most.
        observation_iteration: Which iteration of the observation it is; likewise that of the request.
        planned_duration: An interval, though the schema prints DATETIME; so is `total_planned_duration`.
        expiration_time: When it is not attempted any more.
        completed_on: When it was completed.
        modified_on: When it was last written; every writing moves it on.
        progress: Of its execution; it never falls.
        assets_revision: Rises when its assets change in a way that affects data products, and only then.
    """

    id: Id
    ota_id: Id
    camera_id: Id
    accumulated_exposure_time: Seconds
    observatory_acquired_frames: Count
    required_exposure_time: Seconds
    total_exposures: Count
    max_exposure_time: Seconds | None = None
    uid: UUID
    task_type: TaskType
    observation_id: Id
    request_id: Id
    observation_iteration: Count
    request_iteration: Count
    observing_grant_id: Id | None = None
    queue_access_grant_id: Id | None = None
    instrument_id: Id
    instrument_configuration_version: Count | None = None
    scheduler_run_id: Id | None = None
    earliest_start_time: Utc | None = None
    planned_start_time: Utc | None = None
    planned_duration: Duration | None = None
    total_planned_duration: Duration | None = None
    expiration_time: Utc | None = None
    actual_start_time: Utc | None = None
    actual_end_time: Utc | None = None
    status: TaskStatus
    completed_on: Utc | None = None
    modified_on: Utc
    progress: Fraction
    assets_revision: Count

    @model_validator(mode="after")
    def _done_or_not(self) -> "OpticalImagingTask":
        if (self.status is TaskStatus.COMPLETED) != (self.completed_on is not None):
            raise ValueError("a task has completed_on if, and only if, it is completed")
        return self

    @model_validator(mode="after")
    def _begun_or_not(self) -> "OpticalImagingTask":
        if self.actual_end_time is not None and self.actual_start_time is None:
            raise ValueError("a task that has ended has begun")
        return self


class TaskAssignment(Message):
    """That a task was given to a telescope; it stays as history when it is given to another one.

    Attributes:
        number: Counts the assignments of the task, from 1.
        assigned_by: A scheduler, or a person.
    """

    number: Turn
    assigned_on: Utc
    assigned_by: Text250 = Field(min_length=1)
    ota_id: Id
    camera_id: Id
    instrument_id: Id
    scheduler_run_id: Id | None = None
    planned_start_time: Utc | None = None


class TaskEvent(Event):
    """What all events of a task tell: itself after it, in full.

    Attributes:
        turn: Counts what was said of the task, from 1.
        assignments: How often it was assigned.
    """

    entity = "task"

    turn: Turn
    task: OpticalImagingTask
    assignments: Count = 0

    def identity(self) -> tuple[object, ...]:
        return (self.task.uid, self.turn)

    def about(self) -> UUID:
        return self.task.uid


class TaskFiled(TaskEvent):
    """There is a task."""

    fact = "filed"

    @model_validator(mode="after")
    def _is_new(self) -> "TaskFiled":
        if self.task.status is not TaskStatus.UNASSIGNED or self.turn != 1 or self.assignments:
            raise ValueError("a new task is unassigned")
        return self

    def identity(self) -> tuple[object, ...]:
        return (self.task.uid,)


class TaskAssigned(TaskEvent):
    """A telescope is to execute a task."""

    fact = "assigned"

    assignment: TaskAssignment


class TaskStarted(TaskEvent):
    """A telescope begins with a task."""

    fact = "started"


class TaskProgressed(TaskEvent):
    """Exposures of a task were made."""

    fact = "progressed"


class TaskCompleted(TaskEvent):
    """A task was executed."""

    fact = "completed"


class TaskFailed(TaskEvent):
    """A task cannot be executed."""

    fact = "failed"

    reason: Text250 = Field(min_length=1)


class TaskExpired(TaskEvent):
    """The time of a task was up before it was begun: it is not attempted."""

    fact = "expired"


class TaskInterrupted(TaskEvent):
    """A telescope has to stop with a task."""

    fact = "interrupted"

    reason: Text250 = Field(min_length=1)


class TaskResumed(TaskEvent):
    """A telescope goes on with a task."""

    fact = "resumed"


class TaskCanceled(TaskEvent):
    """A task is not wanted any more."""

    fact = "canceled"

    actor: Text250 = Field(min_length=1)


class TaskAssetsChanged(TaskEvent):
    """Assets of a task changed in a way that affects data products."""

    fact = "assets_changed"
