"""The entries of the journals: each event is one, under its own id, and so no event is told twice."""

import json
from collections.abc import Mapping
from uuid import UUID

from contracts.base import derived_id
from contracts.envelope import Envelope
from contracts.states import WorkState
from libs.opsdb.projection.changes import Change, one
from libs.opsdb.projection.tables import (
    DATA_TRANSFER_LOG,
    LONG_TERM_ARCHIVE_TRANSFER_LOG,
    STAGING_JOB_LOG,
    SYSTEM_LOG,
)


def said(
    told: Envelope, *, actor: str | None, message: str, details: Mapping[str, object] | None = None
) -> Change:
    """An entry of the system's log."""
    _, entity, fact, _ = told.type.split(".")
    columns = {
        **_told(told, message),
        "action": f"{entity}.{fact}",
        "actor": actor,
        "about": told.about,
        "details": json.dumps(details or {}),
    }
    return one(SYSTEM_LOG, (told.id,), columns)


def transfer_entry(told: Envelope, transfer: UUID, status: WorkState, message: str) -> Change:
    """An entry of the log of a hop."""
    columns = {**_told(told, message), "data_transfer_id": transfer, "status": status}
    return one(DATA_TRANSFER_LOG, (told.id,), columns)


def archive_entry(told: Envelope, package: UUID, location: str, status: WorkState, message: str) -> Change:
    """An entry of the log of a package's way into an archive."""
    transfer = archive_transfer_id(package, location)
    columns = {**_told(told, message), "long_term_archive_transfer_id": transfer, "status": status}
    return one(LONG_TERM_ARCHIVE_TRANSFER_LOG, (told.id,), columns)


def archive_transfer_id(package: UUID, location: str) -> UUID:
    """The id of a package's way into an archive."""
    return derived_id("long_term_archive_transfer", package, location)


def staging_entry(told: Envelope, job: UUID, status: WorkState, message: str) -> Change:
    """An entry of the log of a staging job."""
    columns = {**_told(told, message), "staging_job_id": job, "status": status}
    return one(STAGING_JOB_LOG, (told.id,), columns)


def _told(told: Envelope, message: str) -> dict[str, object]:
    return {"time": told.time, "site": told.site, "service": told.service, "message": message}
