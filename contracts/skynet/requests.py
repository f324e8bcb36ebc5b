"""What a telescope node asks of filing about tasks, assets and cameras, and what it is answered.

Times are by the node's clock, as those of observations are by their instrument's.
"""

from uuid import UUID

from pydantic import Field, model_validator

from contracts.base import Message, Utc
from contracts.skynet.assets import Flag
from contracts.skynet.cameras import Camera
from contracts.skynet.fields import Count, Duration, Fraction, Id, Seconds, Text250
from contracts.skynet.states import AssetRole, TaskStep, TaskType


class PlannedTask(Message):
    """A task as it is planned: the fields of `OpticalImagingTask` that are told before it is executed."""

    id: Id
    uid: UUID
    task_type: TaskType
    ota_id: Id
    camera_id: Id
    instrument_id: Id
    instrument_configuration_version: Count | None = None
    observation_id: Id
    observation_iteration: Count = 1
    request_id: Id
    request_iteration: Count = 1
    required_exposure_time: Seconds
    total_exposures: Count
    max_exposure_time: Seconds | None = None
    observing_grant_id: Id | None = None
    queue_access_grant_id: Id | None = None
    scheduler_run_id: Id | None = None
    earliest_start_time: Utc | None = None
    planned_start_time: Utc | None = None
    planned_duration: Duration | None = None
    total_planned_duration: Duration | None = None
    expiration_time: Utc | None = None


class FileTask(Message):
    """Request: there is a task, which no telescope has yet.

    Attributes:
        at: Since when.
    """

    task: PlannedTask
    at: Utc


class Assigned(Message):
    """To which telescope a task is given, and by whom: a scheduler, or a person."""

    assigned_by: Text250 = Field(min_length=1)
    ota_id: Id
    camera_id: Id
    instrument_id: Id
    scheduler_run_id: Id | None = None
    planned_start_time: Utc | None = None


class ExposedSoFar(Message):
    """How far a telescope is with a task: all that it exposed for it so far, and never less than before.

    Attributes:
        accumulated_exposure_time: Seconds.
        observatory_acquired_frames: Frames.
        progress: From 0 to 1.
    """

    accumulated_exposure_time: Seconds
    observatory_acquired_frames: Count
    progress: Fraction


class ReportTask(Message):
    """Request: this happened to a task.

    Attributes:
        step: What happened.
        at: When.
        assignment: With the step assigned.
        exposed: With the step progressed; with completed, if more was exposed than reported before.
        reason: With the steps failed and interrupted.
        actor: With the step canceled: who does not want it any more.
    """

    task_uid: UUID
    step: TaskStep
    at: Utc
    assignment: Assigned | None = None
    exposed: ExposedSoFar | None = None
    reason: Text250 | None = Field(default=None, min_length=1)
    actor: Text250 | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _says_what_its_step_takes(self) -> "ReportTask":
        for name, steps in _TAKES.items():
            if getattr(self, name) is None and self.step in steps:
                raise ValueError(f"the step {self.step} takes {name}")
            if getattr(self, name) is not None and self.step not in steps | _MAY_TAKE.get(name, frozenset()):
                raise ValueError(f"the step {self.step} takes no {name}")
        return self


_TAKES = {
    "assignment": frozenset({TaskStep.ASSIGNED}),
    "exposed": frozenset({TaskStep.PROGRESSED}),
    "reason": frozenset({TaskStep.FAILED, TaskStep.INTERRUPTED}),
    "actor": frozenset({TaskStep.CANCELED}),
}
_MAY_TAKE = {"exposed": frozenset({TaskStep.COMPLETED})}


class DeclaredAsset(Message):
    """An asset as whoever made it declares it: fields of `ObservationAsset`.

    Attributes:
        root_observation_asset_id: The raw asset that it descends from; left out for a raw one.
        is_transferrable: Its bytes may be fetched, if they are elsewhere.
        remote_file_path: Where its bytes are; left out if they are here.
    """

    id: Id
    uid: UUID
    observation_id: Id
    instrument_id: Id
    file_id: UUID
    role: AssetRole | None = None
    processing_flags: tuple[Flag, ...] | None = Field(default=None, max_length=100)
    root_observation_asset_id: Id | None = None
    is_transferrable: bool = True
    remote_file_path: Text250 | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _no_root_of_itself(self) -> "DeclaredAsset":
        if self.root_observation_asset_id == self.id:
            raise ValueError("an asset is no root of itself")
        return self


class FileAsset(Message):
    """Request: there is an asset.

    Attributes:
        task_uid: The task that it was made by, if it was made by one.
    """

    asset: DeclaredAsset
    task_uid: UUID | None = None


class FileCamera(Message):
    """Request: a camera is like this since `at`."""

    camera: Camera
    at: Utc


class EntityAccepted(Message):
    """Answer: it is in the log.

    Attributes:
        uid: Of the task, asset or camera.
        turn: How much was said of it so far; of a camera, its revision.
        repeated: The same was accepted before, or is no news; nothing was added.
    """

    accepted: bool = True
    uid: UUID
    turn: Count
    repeated: bool = False
