"""Packages from their plan to the archive."""

from datetime import datetime

from contracts.envelope import Envelope
from contracts.packages import (
    PackageAbandoned,
    PackageArchived,
    PackageCorrupted,
    PackageFailed,
    PackagePlanned,
    PackageRecord,
    PackageSealed,
    PackageVerified,
    Provenance,
)
from contracts.problems import Problem
from contracts.states import CopyKind, PackageState, WorkState
from libs.opsdb.projection.changes import Change, Release, one, problem_columns
from libs.opsdb.projection.folds.copies import Bytes, present_copies
from libs.opsdb.projection.folds.journals import archive_entry, archive_transfer_id
from libs.opsdb.projection.tables import (
    LONG_TERM_ARCHIVE_TRANSFER,
    RAW_DATA_PACKAGE,
    RAW_DATA_PACKAGE_METADATA,
)


def package_planned(told: Envelope, event: PackagePlanned) -> list[Change]:
    """The tar is to be written."""
    columns = {
        **_origin(event.provenance),
        "number": event.number,
        "name": event.name,
        "file_count": event.file_count,
        "payload_bytes": event.payload_bytes,
        "priority": event.priority,
        "state": PackageState.PLANNED,
        "source_location": event.source,
        "planned_at": told.time,
    }
    return [one(RAW_DATA_PACKAGE, (event.package_id,), columns)]


def _origin(provenance: Provenance) -> dict[str, object]:
    return {
        "executed_obs_unit_id": provenance.executed_obs_unit_id,
        "instrument": provenance.instrument,
        "instrument_module": provenance.module,
        "provenance": provenance.model_dump_json(),
    }


def _about(provenance: Provenance, document: object) -> dict[str, object]:
    target = provenance.target
    return {
        "observatory": provenance.observatory,
        "telescope": provenance.telescope,
        "instrument": provenance.instrument,
        "instrument_module": provenance.module,
        "observing_program": provenance.observing_program,
        "obs_unit": provenance.obs_unit,
        "obs_mode": provenance.obs_mode,
        "target_name": target.name if target else None,
        "ra_deg": target.ra_deg if target else None,
        "dec_deg": target.dec_deg if target else None,
        "start_time": provenance.start_time,
        "end_time": provenance.end_time,
        "extended_provenance": document,
    }


def package_abandoned(told: Envelope, event: PackageAbandoned) -> list[Change]:
    """The plan is given up; files still in it are free."""
    columns = {
        "executed_obs_unit_id": event.executed_obs_unit_id,
        "state": PackageState.ABANDONED,
        **_problem(told, event.problem),
    }
    return [one(RAW_DATA_PACKAGE, (event.package_id,), columns), Release(event.package_id)]


def package_sealed(told: Envelope, event: PackageSealed) -> list[Change]:
    """The tar is whole, in a buffer."""
    package = event.package
    origin = _origin(package.provenance)
    columns = {
        **origin,
        "name": package.name,
        "size": package.size,
        "sha256": package.sha256,
        "file_count": package.file_count,
        "payload_bytes": package.payload_bytes,
        "priority": package.priority,
        "state": PackageState.WAITING,
        "source_location": event.source,
        "sealed_at": told.time,
    }
    return [
        one(RAW_DATA_PACKAGE, (package.package_id,), columns),
        one(
            RAW_DATA_PACKAGE_METADATA, (package.package_id,), _about(package.provenance, origin["provenance"])
        ),
        *_tar_at(package, event.buffer, event.path, told.time),
    ]


def package_verified(told: Envelope, event: PackageVerified) -> list[Change]:
    """It arrived as it left: a verified copy is in the destination's buffer."""
    package = event.package
    columns = {"verified_at": told.time, **_problem(told, None)}
    return [
        one(RAW_DATA_PACKAGE, (package.package_id,), columns),
        *_tar_at(package, event.location, event.path, told.time, verified_at=told.time),
    ]


def package_corrupted(told: Envelope, event: PackageCorrupted) -> list[Change]:
    """What arrived is no copy of it. It travels again."""
    return [one(RAW_DATA_PACKAGE, (event.package.package_id,), _problem(told, _first(event.problems)))]


def package_failed(told: Envelope, event: PackageFailed) -> list[Change]:
    """It was given up, for its reason. An archive that has it knows better."""
    columns = {"state": PackageState.FAILED, **_problem(told, event.problem)}
    return [one(RAW_DATA_PACKAGE, (event.package_id,), columns)]


def _first(problems: tuple[Problem, ...]) -> Problem:
    if problems:
        return problems[0]
    return Problem(
        code="package_corrupted",
        reason="what arrived is not what was sent",
        remedy="Nothing is to be done: the package travels again by itself.",
    )


def package_archived(told: Envelope, event: PackageArchived) -> list[Change]:
    """An archive holds it, proven. It stays archived whatever else is told."""
    package, proof = event.package, event.proof
    transfer = archive_transfer_id(package.package_id, event.location)
    columns = {"state": PackageState.ARCHIVED, "archived_at": told.time, **_problem(told, None)}
    archived = {
        "raw_data_package_id": package.package_id,
        "location": event.location,
        "bucket": event.bucket,
        "key": event.key,
        "sidecar_key": event.sidecar_key,
        "state": WorkState.COMPLETED,
        "proof_mode": proof.mode.value,
        "proven_at": proof.proven_at,
        "bytes_read": proof.bytes_read,
        "completed_at": told.time,
    }
    return [
        one(RAW_DATA_PACKAGE, (package.package_id,), columns),
        one(LONG_TERM_ARCHIVE_TRANSFER, (transfer,), archived),
        archive_entry(
            told,
            package.package_id,
            event.location,
            WorkState.COMPLETED,
            f"{package.size} bytes proven by {proof.mode.value} in {event.location}",
        ),
        *_tar_at(package, event.location, event.key, told.time, verified_at=proof.proven_at),
    ]


def _problem(told: Envelope, problem: Problem | None) -> dict[str, object]:
    return {**problem_columns(problem), "problem_at": told.time, "problem_by": told.id}


def _tar_at(
    package: PackageRecord, location: str, path: str, since: datetime, *, verified_at: datetime | None = None
) -> list[Change]:
    there = Bytes(package.package_id, path, package.size)
    return present_copies(CopyKind.RAW_DATA_PACKAGE, location, [there], since, verified_at=verified_at)
