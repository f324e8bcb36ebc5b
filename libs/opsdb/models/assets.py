"""Observation assets of the telescope network, and the runs on them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from contracts.skynet.states import AssetRole, RunState, TransferState
from libs.opsdb.models.base import MUCH_UPDATED, Base, TableArguments


class WithTurn:
    """Rows that are told in full with every event about them: the one of the highest turn counts.

    Attributes:
        site: Where it is told.
        turn: Counts what was said.
        told_by: Id of that event; decides between equal turns.
    """

    site: Mapped[str]
    turn: Mapped[int]
    told_by: Mapped[UUID]


class ObservationAsset(WithTurn, Base):
    """A file of an observation, wherever its bytes are; the columns up to `remote_file_path` are the network's own.

    Attributes:
        id: The network's number of it; `uid` is what it is known by everywhere.
        observation_id: The network's number, as is `instrument_id`.
        file_id: Its file, registered before its bytes are here.
        processing_flags: What was done to it.
        root_observation_asset_id: The raw asset that it descends from; null for a raw one.
        current_processing_run_id: The newest run that was completed; so are `current_analysis_run_id` and
            `current_render_run_id`. No run of a lower number takes its place.
        current_processing_output_id: What that run made.
        thumbnail_file_id: What the current render run made, as is `preview_file_id`.
        render_dirty_at: Since when its pictures are out of date.
        next_eligible_render_at: From when on they may be made anew.
        is_remote: Its bytes are not here.
        is_transferrable: They may be fetched.
        transfer_state: Of the transfer of its bytes; completed if they are here.
        transfer_progress: From 0 to 1; null if the size is unknown.
        transfer_error: Why the last attempt failed.
        last_transfer_attempt: When it began.
        remote_file_path: Where the bytes are, in the words of who has them.
        transfer_attempts: How many there were.
        transferrer: Who has leased the transfer, until `lease_until`.
        first_dirty_at: When its pictures first were out of date since they were made.
        render_failures: How many renders failed since one was completed.
        render_runs: How many runs there were; so are `processing_runs` and `analysis_runs`.
        current_render_run_number: The number of that run; so are `current_processing_run_number` and
            `current_analysis_run_number`.
    """

    __tablename__ = "observation_asset"
    __table_args__ = (
        Index(None, "id"),
        Index(None, "observation_id"),
        Index(None, "file_id"),
        Index(None, "root_observation_asset_id"),
        Index(
            "ix_observation_asset_to_fetch",
            "site",
            postgresql_where=text(
                "is_remote AND is_transferrable AND transfer_state IN ('pending', 'active')"
            ),
        ),
        Index(
            "ix_observation_asset_to_render",
            "next_eligible_render_at",
            postgresql_where=text("render_dirty_at IS NOT NULL"),
        ),
        CheckConstraint("is_remote = (transfer_state <> 'completed')", name="bytes"),
        CheckConstraint("transfer_progress BETWEEN 0 AND 1", name="transfer_progress"),
        CheckConstraint("transfer_error IS NULL OR transfer_state = 'failed'", name="transfer_error"),
        CheckConstraint("(render_dirty_at IS NULL) = (next_eligible_render_at IS NULL)", name="render_mark"),
        CheckConstraint("root_observation_asset_id <> id", name="root"),
        CheckConstraint("turn >= 1", name="turn"),
        {"postgresql_with": MUCH_UPDATED},
    )

    id: Mapped[int]
    uid: Mapped[UUID] = mapped_column(primary_key=True)
    observation_id: Mapped[int]
    instrument_id: Mapped[int]
    file_id: Mapped[UUID]
    role: Mapped[AssetRole | None]
    processing_flags: Mapped[list[str] | None]
    root_observation_asset_id: Mapped[int | None]
    current_processing_run_id: Mapped[UUID | None]
    current_analysis_run_id: Mapped[UUID | None]
    current_processing_output_id: Mapped[UUID | None]
    current_render_run_id: Mapped[UUID | None]
    thumbnail_file_id: Mapped[UUID | None]
    preview_file_id: Mapped[UUID | None]
    render_dirty_at: Mapped[datetime | None]
    next_eligible_render_at: Mapped[datetime | None]
    is_remote: Mapped[bool]
    is_transferrable: Mapped[bool]
    transfer_state: Mapped[TransferState]
    transfer_progress: Mapped[float | None]
    transfer_error: Mapped[str | None] = mapped_column(String(250))
    last_transfer_attempt: Mapped[datetime | None]
    remote_file_path: Mapped[str | None] = mapped_column(String(250))
    transfer_attempts: Mapped[int]
    transferrer: Mapped[str | None] = mapped_column(String(250))
    lease_until: Mapped[datetime | None]
    first_dirty_at: Mapped[datetime | None]
    render_failures: Mapped[int]
    render_runs: Mapped[int]
    processing_runs: Mapped[int]
    analysis_runs: Mapped[int]
    current_render_run_number: Mapped[int | None]
    current_processing_run_number: Mapped[int | None]
    current_analysis_run_number: Mapped[int | None]


class ObservationAssetTaskInfo(Base):
    """That an asset was made by a task.

    Attributes:
        asset_uid: The asset.
        task_uid: The task, which may be filed later.
    """

    __tablename__ = "observation_asset_task_info"
    __table_args__ = (Index(None, "task_uid"),)

    asset_uid: Mapped[UUID] = mapped_column(primary_key=True)
    task_uid: Mapped[UUID] = mapped_column(primary_key=True)


class AssetRunColumns(WithTurn):
    """What runs of every kind have.

    Attributes:
        uid: Derives from the asset, the kind and the number.
        asset_uid: The asset.
        run_number: Counts the runs of this kind on the asset, from 1.
        iterations: How often a worker took it.
        run_priority: Higher first.
        version: Of what it runs.
        created_on: When it was ready; `started_on` when a worker took it last, `completed_on` when it ended.
        errors: What went wrong, the latest last.
        stage_name: What it is doing: number `stage_index` of `stage_count` stages.
        progress: Of the iteration, from 0 to 1; null while that is unknown.
    """

    @declared_attr.directive
    def __table_args__(cls) -> TableArguments:  # noqa: N805 - a class
        return (
            Index(None, "asset_uid"),
            CheckConstraint("progress BETWEEN 0 AND 1", name="progress"),
            CheckConstraint("(completed_on IS NULL) = (state IN ('ready', 'running'))", name="completed"),
            CheckConstraint("run_number >= 1 AND turn >= 1 AND iterations >= 0", name="counts"),
        )

    uid: Mapped[UUID] = mapped_column(primary_key=True)
    asset_uid: Mapped[UUID]
    run_number: Mapped[int]
    state: Mapped[RunState]
    iterations: Mapped[int]
    run_priority: Mapped[int]
    version: Mapped[str] = mapped_column(String(250))
    created_on: Mapped[datetime]
    started_on: Mapped[datetime | None]
    completed_on: Mapped[datetime | None]
    errors: Mapped[list[str]]
    stage_name: Mapped[str | None] = mapped_column(String(250))
    stage_index: Mapped[int | None]
    stage_count: Mapped[int | None]
    progress: Mapped[float | None]


class ObservationAssetRenderRun(AssetRunColumns, Base):
    """A making of thumbnail and preview; rows stay as history.

    Attributes:
        dirty_at: The mark that it answers.
        thumbnail_file_id: What it made, as is `preview_file_id`.
    """

    __tablename__ = "observation_asset_render_run"

    dirty_at: Mapped[datetime | None]
    thumbnail_file_id: Mapped[UUID | None]
    preview_file_id: Mapped[UUID | None]


class ObservationAssetProcessingRun(AssetRunColumns, Base):
    """A processing of an asset; rows stay as history.

    Attributes:
        output_id: What it made.
    """

    __tablename__ = "observation_asset_processing_run"

    output_id: Mapped[UUID | None]


class ObservationAssetAnalysisRun(AssetRunColumns, Base):
    """A measuring of what is in an asset; rows stay as history."""

    __tablename__ = "observation_asset_analysis_run"
