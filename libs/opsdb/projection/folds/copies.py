"""Copies: what is where, what went, and what may not go."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from contracts.copies import CopyDeleted, CopyRef, CopyScrubbed, DeletionRefused, copy_id
from contracts.envelope import Envelope
from contracts.states import CopyKind, CopyState
from libs.opsdb.projection.changes import Change, Upsert, problem_columns
from libs.opsdb.projection.tables import (
    DATA_TRANSFER_PACKAGE_PHYSICAL_COPY,
    PHYSICAL_COPY,
    RAW_DATA_FILE_PHYSICAL_COPY,
    RAW_DATA_PACKAGE_PHYSICAL_COPY,
    Table,
)

_SUBTYPES: dict[CopyKind, tuple[Table, str]] = {
    CopyKind.RAW_DATA_FILE: (RAW_DATA_FILE_PHYSICAL_COPY, "raw_data_file_id"),
    CopyKind.RAW_DATA_PACKAGE: (RAW_DATA_PACKAGE_PHYSICAL_COPY, "raw_data_package_id"),
    CopyKind.DATA_TRANSFER_PACKAGE: (DATA_TRANSFER_PACKAGE_PHYSICAL_COPY, "data_transfer_package_id"),
}

_NOT_REFUSED = {"refusal_code": None, "refusal_reason": None, "refusal_remedy": None, "refused_at": None}


class Bytes(NamedTuple):
    """Something that lies somewhere; the fields are those of `contracts.copies.CopyRef`."""

    kind: CopyKind
    entity_id: UUID
    location: str
    path: str
    size: int


def present_copy(
    there: Bytes,
    created_at: datetime,
    *,
    verified_at: datetime | None = None,
    state: CopyState = CopyState.PRESENT,
) -> list[Change]:
    """New bytes are there: whatever was said about older ones at that place is no longer true."""
    columns = {
        "path": there.path,
        "size": there.size,
        "state": state,
        "created_at": created_at,
        "verified_at": verified_at,
        "deleted_at": None,
        **_NOT_REFUSED,
    }
    return _copy(there.kind, there.entity_id, there.location, columns)


def copy_deleted(_told: Envelope, event: CopyDeleted) -> list[Change]:
    """These copies are gone."""
    changes: list[Change] = []
    for copy in event.copies:
        gone = {"state": CopyState.DELETED, "deleted_at": event.deleted_at, **_NOT_REFUSED}
        changes += _copy_of(copy, gone)
    return changes


def deletion_refused(told: Envelope, event: DeletionRefused) -> list[Change]:
    """These copies stay, each for its reason."""
    changes: list[Change] = []
    for refusal in event.refusals:
        why = {**problem_columns(refusal.problem, "refusal"), "refused_at": told.time}
        changes += _copy_of(refusal.copy_ref, why)
    return changes


def copy_scrubbed(_told: Envelope, event: CopyScrubbed) -> list[Change]:
    """A copy was read in full again; a whole one is verified anew."""
    columns: dict[str, object] = {
        "scrubbed_at": event.scrubbed_at,
        "scrub_problem_code": event.problem.code if event.problem else None,
    }
    if event.problem is None:
        columns["verified_at"] = event.scrubbed_at
    return _copy_of(event.copy_ref, columns)


def _copy_of(copy: CopyRef, columns: Mapping[str, object]) -> list[Change]:
    named = {"path": copy.path, "size": copy.size, **columns}
    return _copy(copy.kind, copy.entity_id, copy.location, named)


def _copy(kind: CopyKind, entity_id: UUID, location: str, columns: Mapping[str, object]) -> list[Change]:
    key = (copy_id(kind, entity_id, location),)
    subtype, entity_column = _SUBTYPES[kind]
    return [
        Upsert(PHYSICAL_COPY, key, {"kind": kind, "entity_id": entity_id, "location": location, **columns}),
        Upsert(subtype, key, {entity_column: entity_id}),
    ]
