"""One damaged archive copy, and what is said of it: values and words."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from contracts.copies import CopyRepaired, CopyUnrepairable
from contracts.packages import PackageRecord
from contracts.problems import Problem
from libs.copies.records import CopyOnRecord
from libs.telemetry.logs import logger
from services.archiver.archiving import Archive

log = logger("archiver")


@dataclass(frozen=True, slots=True)
class Repair:
    """One damaged copy.

    Attributes:
        target: The archive it is in.
        package: As it was sealed.
        copy: What is on record of it.
        cause: The id of the finding.
    """

    target: Archive
    package: PackageRecord
    copy: CopyOnRecord
    cause: UUID

    @property
    def found(self) -> Problem:
        """What is wrong with it."""
        if self.copy.problem is None:
            raise ValueError(f"{self.copy.ref.path} is not on record as damaged")
        return self.copy.problem


def foreign(repair: Repair, declared: str | None) -> Problem:
    """Another object has the key."""
    says = f"declares the sha256 {declared}" if declared else "declares no sha256"
    return Problem(
        code="object_differs",
        reason=f"{repair.copy.ref.path} in {repair.target.location} is not the package {repair.package.name} any more: "
        f"it {says}, not {repair.package.sha256}",
        remedy="Find out who wrote it, and move it to another key: nothing was overwritten. Then have the copy read: "
        "chasqui scrub PACKAGE --now; it is written anew.",
    )


def not_as_written(repair: Repair, source: str) -> Problem:
    """The archive does not keep what it is given."""
    return Problem(
        code="archive_not_as_written",
        reason=f"{repair.copy.ref.path} was written anew from {source}, and {repair.target.location} gives back "
        "other bytes",
        remedy="Look after the archive's storage, then have the copy read again: chasqui scrub PACKAGE --now.",
    )


def repaired(repair: Repair, source: str) -> CopyRepaired:
    """It is whole again."""
    return CopyRepaired(
        copy_ref=repair.copy.ref,
        cause=repair.cause,
        repaired_from=source,
        repaired_at=datetime.now(UTC),
        sha256=repair.package.sha256,
    )


def unrepairable(repair: Repair, problem: Problem) -> CopyUnrepairable:
    """A person has to look."""
    log.error("unrepairable", key=repair.copy.ref.path, **problem.model_dump())
    return CopyUnrepairable(copy_ref=repair.copy.ref, cause=repair.cause, problem=problem)
