"""PhysicalCopy: this thing exists at this location. Deletions, refusals and scrubs of copies."""

from uuid import UUID

from contracts.base import ByteCount, Event, Message, Name, Parted, RelativePath, Utc, derived_id
from contracts.problems import Problem
from contracts.states import CopyKind


class CopyRef(Message):
    """One copy: of what, and where.

    Attributes:
        entity_id: The file's, package's or bundle's id.
        path: Relative to the location's root (a key on S3).
    """

    kind: CopyKind
    entity_id: UUID
    location: Name
    path: RelativePath
    size: ByteCount


class RefusedCopy(Message):
    """A copy that may not go, and why."""

    copy_ref: CopyRef
    problem: Problem


class CopyDeleted(Parted):
    """These copies are gone from one location; `batch` names the decision."""

    entity = "copy"
    fact = "deleted"

    location: Name
    batch: UUID
    deleted_at: Utc
    copies: tuple[CopyRef, ...]

    def identity(self) -> tuple[object, ...]:
        return (self.location, self.batch, self.part)

    def about(self) -> str:
        return self.location


class DeletionRefused(Parted):
    """These copies were looked at for deletion and stay, each for its reason."""

    entity = "copy"
    fact = "deletion_refused"

    location: Name
    refusals: tuple[RefusedCopy, ...]

    def identity(self) -> tuple[object, ...]:
        return (
            self.location,
            *(f"{r.copy_ref.kind}:{r.copy_ref.entity_id}:{r.problem.code}" for r in self.refusals),
        )

    def about(self) -> str:
        return self.location


class CopyScrubbed(Event):
    """An archive copy was read in full again; `problem` is None if it is still whole."""

    entity = "copy"
    fact = "scrubbed"

    copy_ref: CopyRef
    scrubbed_at: Utc
    problem: Problem | None = None

    def identity(self) -> tuple[object, ...]:
        return (self.copy_ref.entity_id, self.copy_ref.location, self.scrubbed_at)

    def about(self) -> UUID:
        return self.copy_ref.entity_id


def copy_id(kind: CopyKind, entity_id: UUID, location: str) -> UUID:
    """The id of the PhysicalCopy of one thing at one location."""
    return derived_id("physical_copy", kind, entity_id, location)
