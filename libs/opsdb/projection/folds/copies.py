"""Copies: what is where, what went, and what may not go."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import NamedTuple
from uuid import UUID

from contracts.copies import (
    CopyDeleted,
    CopyRef,
    CopyRepaired,
    CopyScrubbed,
    CopyUnrepairable,
    DeletionRefused,
    DeletionScheduled,
    RefusedCopy,
)
from contracts.envelope import Envelope
from contracts.states import COPY_STEPS, CopyKind, CopyState, CopyStep, WorkState, copy_sources
from libs.opsdb.projection.changes import Change, Key, Upsert, Values, problem_columns
from libs.opsdb.projection.folds.journals import archive_entry
from libs.opsdb.projection.ids import copy_namer
from libs.opsdb.projection.tables import (
    DATA_TRANSFER_PACKAGE_PHYSICAL_COPY,
    PHYSICAL_COPY,
    RAW_DATA_FILE_PHYSICAL_COPY,
    RAW_DATA_PACKAGE_PHYSICAL_COPY,
    REFUSAL,
    Table,
)

_SUBTYPES: dict[CopyKind, tuple[Table, str]] = {
    CopyKind.RAW_DATA_FILE: (RAW_DATA_FILE_PHYSICAL_COPY, "raw_data_file_id"),
    CopyKind.RAW_DATA_PACKAGE: (RAW_DATA_PACKAGE_PHYSICAL_COPY, "raw_data_package_id"),
    CopyKind.DATA_TRANSFER_PACKAGE: (DATA_TRANSFER_PACKAGE_PHYSICAL_COPY, "data_transfer_package_id"),
}

_NOT_DAMAGED = {**problem_columns(None, "scrub_problem"), "unrepairable_at": None}

_NOT_REFUSED: Values = dict.fromkeys(REFUSAL)
_NEW: Values = {**_NOT_REFUSED, **dict.fromkeys(("refused_at", "scheduled_at", "deleted_at"))}
"""What was said of older bytes is true of new ones no more."""


class Bytes(NamedTuple):
    """Something that lies at a location; the fields are those of `contracts.copies.CopyRef`."""

    entity_id: UUID
    path: str
    size: int


def present_copies(
    kind: CopyKind,
    location: str,
    there: Sequence[Bytes],
    created_at: datetime,
    *,
    verified_at: datetime | None = None,
    state: CopyState = CopyState.PRESENT,
) -> list[Change]:
    """New bytes are there: whatever was said about older ones at that place is no longer true."""
    common: dict[str, object] = {
        "kind": kind,
        "location": location,
        "state": state,
        "created_at": created_at,
        "verified_at": verified_at,
        **_NEW,
    }
    if kind is CopyKind.RAW_DATA_PACKAGE:  # nothing else is ever read in full again
        common |= _NOT_DAMAGED
    named = copy_namer(kind, location)
    keys = [(named(entity_id),) for entity_id, _, _ in there]
    rows = [
        (key, {**common, "entity_id": entity_id, "path": path, "size": size})
        for key, (entity_id, path, size) in zip(keys, there, strict=True)
    ]
    guard = _guard(CopyStep.ARRIVED, state)
    return [
        Upsert(PHYSICAL_COPY, rows, guard),
        _subtypes(kind, keys, [entity_id for entity_id, _, _ in there]),
    ]


@cache
def _guard(step: CopyStep, after: CopyState) -> int:
    """The states from which a step is taken: `contracts.states.COPY_STEPS`."""
    return PHYSICAL_COPY.bits(*copy_sources(step, after))


def _subtypes(kind: CopyKind, keys: Sequence[Key], entities: Sequence[UUID]) -> Upsert:
    table, column = _SUBTYPES[kind]
    return Upsert(table, [(key, {column: entity}) for key, entity in zip(keys, entities, strict=True)])


def copy_deleted(_told: Envelope, event: CopyDeleted) -> list[Change]:
    """These copies are gone."""
    gone = {
        "state": CopyState.DELETED,
        "deleted_at": event.deleted_at,
        "refused_at": None,
        **_NOT_REFUSED,
    }
    guard = _guard(CopyStep.DELETED, CopyState.DELETED)
    return _of_copies([(copy, gone) for copy in event.copies], guard)


def deletion_refused(told: Envelope, event: DeletionRefused) -> list[Change]:
    """These copies stay, each for its reason."""
    changes: list[Change] = []
    for state in CopyState:
        some = [refusal for refusal in event.refusals if refusal.state is state]
        if some and state in COPY_STEPS[CopyStep.REFUSED]:
            rows = [(refusal.copy_ref, _refused(told, refusal)) for refusal in some]
            changes += _of_copies(rows, _guard(CopyStep.REFUSED, state))
    return changes


def _refused(told: Envelope, refusal: RefusedCopy) -> Values:
    return {
        "state": refusal.state,
        **problem_columns(refusal.problem, "refusal"),
        "refused_at": told.time,
    }


def deletion_scheduled(told: Envelope, event: DeletionScheduled) -> list[Change]:
    """These copies are about to go. When they were refused last stays known: it tells this try from the next."""
    about_to_go = {"state": CopyState.DELETION_SCHEDULED, "scheduled_at": told.time, **_NOT_REFUSED}
    guard = _guard(CopyStep.SCHEDULED, CopyState.DELETION_SCHEDULED)
    return _of_copies([(copy, about_to_go) for copy in event.copies], guard)


def copy_scrubbed(_told: Envelope, event: CopyScrubbed) -> list[Change]:
    """A copy was read in full again; a whole one is verified anew, a damaged one is looked at anew."""
    columns: dict[str, object] = {
        "scrubbed_at": event.scrubbed_at,
        **_NOT_DAMAGED,
        **problem_columns(event.problem, "scrub_problem"),
    }
    if event.problem is None:
        columns["verified_at"] = event.scrubbed_at
    return _of_copies([(event.copy_ref, columns)])


def copy_repaired(told: Envelope, event: CopyRepaired) -> list[Change]:
    """A copy is whole again, or there again: its bytes are new, and were proven."""
    columns: dict[str, object] = {
        **_NOT_DAMAGED,
        **_NEW,
        "state": CopyState.PRESENT,
        "verified_at": event.repaired_at,
        "repaired_at": event.repaired_at,
        "repaired_from": event.repaired_from,
    }
    copy = event.copy_ref
    return [
        *_of_copies([(copy, columns)], _guard(CopyStep.ARRIVED, CopyState.PRESENT)),
        archive_entry(
            told,
            copy.entity_id,
            copy.location,
            WorkState.COMPLETED,
            f"{copy.size} bytes written anew in {copy.location}, from {event.repaired_from}",
        ),
    ]


def copy_unrepairable(told: Envelope, event: CopyUnrepairable) -> list[Change]:
    """A copy is damaged, and nothing was found to mend it with."""
    copy, problem = event.copy_ref, event.problem
    return [
        *_of_copies([(copy, {"unrepairable_at": told.time})]),
        archive_entry(
            told, copy.entity_id, copy.location, WorkState.FAILED, f"{problem.reason} ({problem.code})"
        ),
    ]


def _of_copies(told: Sequence[tuple[CopyRef, Values]], guard: int = 0) -> list[Change]:
    changes: list[Change] = []
    for kind in CopyKind:
        some = [(copy, columns) for copy, columns in told if copy.kind is kind]
        if some:
            keys = [(copy_namer(kind, copy.location)(copy.entity_id),) for copy, _ in some]
            rows = [
                (key, {**_named(copy), **columns}) for key, (copy, columns) in zip(keys, some, strict=True)
            ]
            changes.append(Upsert(PHYSICAL_COPY, rows, guard))
            changes.append(_subtypes(kind, keys, [copy.entity_id for copy, _ in some]))
    return changes


def _named(copy: CopyRef) -> dict[str, object]:
    return {
        "kind": copy.kind,
        "entity_id": copy.entity_id,
        "location": copy.location,
        "path": copy.path,
        "size": copy.size,
    }
