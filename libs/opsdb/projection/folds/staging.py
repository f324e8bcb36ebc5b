"""Staging jobs."""

from contracts.envelope import Envelope
from contracts.packages import PackageStaged
from contracts.staging import StagingCompleted, StagingFailed, StagingReleased, StagingRequested
from contracts.states import CopyKind, CopyState, WorkState
from libs.opsdb.projection.changes import NO_PROBLEM, Change, one, problem_columns
from libs.opsdb.projection.folds.copies import Bytes, present_copies
from libs.opsdb.projection.tables import STAGING_JOB, STAGING_JOB_PACKAGE


def staging_requested(_told: Envelope, event: StagingRequested) -> list[Change]:
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
    return [one(STAGING_JOB, (event.job_id,), columns)]


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
    return [one(STAGING_JOB, (event.job_id,), columns)]


def staging_failed(_told: Envelope, event: StagingFailed) -> list[Change]:
    """It was given up."""
    columns = {"state": WorkState.FAILED, **problem_columns(event.problem)}
    return [one(STAGING_JOB, (event.job_id,), columns)]


def staging_released(told: Envelope, event: StagingReleased) -> list[Change]:
    """Its copies may go."""
    columns = {"released_at": told.time, "release_reason": event.reason.value}
    return [one(STAGING_JOB, (event.job_id,), columns)]
