"""Staging jobs."""

from contracts.envelope import Envelope
from contracts.packages import PackageStaged
from contracts.staging import StagingCompleted, StagingFailed, StagingReleased, StagingRequested
from contracts.states import CopyKind, CopyState, WorkState
from libs.opsdb.projection.changes import NO_PROBLEM, Change, one, problem_columns
from libs.opsdb.projection.folds.copies import Bytes, present_copies
from libs.opsdb.projection.folds.journals import staging_entry
from libs.opsdb.projection.tables import STAGING_JOB, STAGING_JOB_PACKAGE


def staging_requested(told: Envelope, event: StagingRequested) -> list[Change]:
    """Somebody asked for it."""
    columns = {
        "requested_by": event.requested_by,
        "requested_at": event.requested_at,
        "location": event.location,
        "folder": event.folder,
        "selection": event.selection.model_dump_json(),
        "keep_for_s": event.keep_for_s,
        "state": WorkState.PENDING,
    }
    return [
        one(STAGING_JOB, (event.job_id,), columns),
        staging_entry(told, event.job_id, WorkState.PENDING, f"asked for by {event.requested_by}"),
    ]


def package_staged(told: Envelope, event: PackageStaged) -> list[Change]:
    """A part of the job is done."""
    staged = {
        "folder": event.folder,
        "file_count": event.file_count,
        "payload_bytes": event.payload_bytes,
        "staged_at": told.time,
    }
    copies = present_copies(
        CopyKind.RAW_DATA_PACKAGE,
        event.location,
        [Bytes(event.package_id, event.folder, event.payload_bytes)],
        told.time,
        verified_at=told.time,
        state=CopyState.STAGED,
    )
    return [
        one(STAGING_JOB, (event.job_id,), {"state": WorkState.IN_PROGRESS}),
        one(STAGING_JOB_PACKAGE, (event.job_id, event.package_id), staged),
        *copies,
        staging_entry(
            told,
            event.job_id,
            WorkState.IN_PROGRESS,
            f"{event.file_count} files of package {event.package_id} are in {event.folder}",
        ),
    ]


def staging_completed(told: Envelope, event: StagingCompleted) -> list[Change]:
    """Everything asked for is there."""
    columns = {
        "state": WorkState.COMPLETED,
        "packages": event.packages,
        "files": event.files,
        "payload_bytes": event.payload_bytes,
        "completed_at": told.time,
        "expires_at": event.expires_at,
        **NO_PROBLEM,
    }
    return [
        one(STAGING_JOB, (event.job_id,), columns),
        staging_entry(
            told,
            event.job_id,
            WorkState.COMPLETED,
            f"{event.files} files of {event.packages} packages are there",
        ),
    ]


def staging_failed(told: Envelope, event: StagingFailed) -> list[Change]:
    """It was given up."""
    columns = {"state": WorkState.FAILED, **problem_columns(event.problem)}
    return [
        one(STAGING_JOB, (event.job_id,), columns),
        staging_entry(told, event.job_id, WorkState.FAILED, f"{event.problem.reason} ({event.problem.code})"),
    ]


def staging_released(told: Envelope, event: StagingReleased) -> list[Change]:
    """Its copies may go."""
    columns = {"released_at": told.time, "release_reason": event.reason.value}
    return [
        one(STAGING_JOB, (event.job_id,), columns),
        staging_entry(told, event.job_id, WorkState.COMPLETED, f"given back: {event.reason.value}"),
    ]
