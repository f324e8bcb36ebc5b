"""Tasks of the telescope network, and to whom they were given."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from contracts.skynet.states import TaskStatus, TaskType
from libs.opsdb.models.assets import WithTurn
from libs.opsdb.models.base import MUCH_UPDATED, Base


class OpticalImagingTask(WithTurn, Base):
    """What a telescope is to do, and how far it is; the columns up to `assets_revision` are the network's own.

    Attributes:
        id: The network's number of it; `uid` is what it is known by everywhere.
        ota_id: The optical tube assembly; like every id of a number it is the network's, as are `camera_id`,
            `observation_id`, `request_id` and `instrument_id`.
        accumulated_exposure_time: Seconds exposed so far.
        observatory_acquired_frames: Frames taken so far.
        required_exposure_time: Seconds that the signal-to-noise ratio takes.
        total_exposures: How many it is made of.
        max_exposure_time: Seconds of one frame at most.
        task_type: What it is for.
        observation_iteration: Of the observation; so is `request_iteration` of the request.
        observing_grant_id: What pays for it; `queue_access_grant_id` lets it into the queue.
        instrument_configuration_version: As of when it was scheduled, by `scheduler_run_id`.
        earliest_start_time: Not before; `planned_start_time` is when, for `planned_duration` of
            `total_planned_duration`.
        expiration_time: When it is not attempted any more.
        actual_start_time: When it was begun; `actual_end_time` when it was ended.
        status: Where it is.
        completed_on: When it was completed.
        modified_on: When it was last written; every writing moves it on.
        progress: From 0 to 1.
        assets_revision: Rises with its assets' changes that affect data products.
        assignments: How often it was assigned.
    """

    __tablename__ = "optical_imaging_task"
    __table_args__ = (
        Index(None, "id"),
        Index(None, "observation_id"),
        Index(
            "ix_optical_imaging_task_open",
            "camera_id",
            "planned_start_time",
            postgresql_where=text("status IN ('unassigned', 'pending', 'active', 'interrupted')"),
        ),
        Index(
            "ix_optical_imaging_task_expiring",
            "expiration_time",
            postgresql_where=text("status = 'pending'"),
        ),
        CheckConstraint("progress BETWEEN 0 AND 1", name="progress"),
        CheckConstraint("(status = 'completed') = (completed_on IS NOT NULL)", name="completed"),
        CheckConstraint(
            "accumulated_exposure_time >= 0 AND observatory_acquired_frames >= 0", name="exposed"
        ),
        CheckConstraint("turn >= 1 AND assets_revision >= 0", name="counts"),
        {"postgresql_with": MUCH_UPDATED},
    )

    id: Mapped[int]
    ota_id: Mapped[int]
    camera_id: Mapped[int]
    accumulated_exposure_time: Mapped[float]
    observatory_acquired_frames: Mapped[int]
    required_exposure_time: Mapped[float]
    total_exposures: Mapped[int]
    max_exposure_time: Mapped[float | None]
    uid: Mapped[UUID] = mapped_column(primary_key=True)
    task_type: Mapped[TaskType]
    observation_id: Mapped[int]
    request_id: Mapped[int]
    observation_iteration: Mapped[int]
    request_iteration: Mapped[int]
    observing_grant_id: Mapped[int | None]
    queue_access_grant_id: Mapped[int | None]
    instrument_id: Mapped[int]
    instrument_configuration_version: Mapped[int | None]
    scheduler_run_id: Mapped[int | None]
    earliest_start_time: Mapped[datetime | None]
    planned_start_time: Mapped[datetime | None]
    planned_duration: Mapped[timedelta | None]
    total_planned_duration: Mapped[timedelta | None]
    expiration_time: Mapped[datetime | None]
    actual_start_time: Mapped[datetime | None]
    actual_end_time: Mapped[datetime | None]
    status: Mapped[TaskStatus]
    completed_on: Mapped[datetime | None]
    modified_on: Mapped[datetime]
    progress: Mapped[float]
    assets_revision: Mapped[int]
    assignments: Mapped[int]


class ObservationTaskAssignmentHistory(WithTurn, Base):
    """That a task was given to a telescope; rows stay as history.

    Attributes:
        task_uid: The task.
        assignment: Its number, from 1.
        assigned_on: When; `assigned_by` says by whom.
        ota_id: The optical tube assembly, as `camera_id` and `instrument_id` the network's number.
        scheduler_run_id: What planned it, to be begun at `planned_start_time`.
    """

    __tablename__ = "observation_task_assignment_history"
    __table_args__ = (
        Index(None, "camera_id"),
        CheckConstraint("assignment >= 1", name="assignment"),
    )

    task_uid: Mapped[UUID] = mapped_column(primary_key=True)
    assignment: Mapped[int] = mapped_column(primary_key=True)
    assigned_on: Mapped[datetime]
    assigned_by: Mapped[str] = mapped_column(String(250))
    ota_id: Mapped[int]
    camera_id: Mapped[int]
    instrument_id: Mapped[int]
    scheduler_run_id: Mapped[int | None]
    planned_start_time: Mapped[datetime | None]
