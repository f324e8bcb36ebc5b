"""PhysicalCopy: this thing exists at this location. Deletions, refusals and scrubs of copies."""

from typing import Any
from uuid import UUID

from contracts.base import ByteCount, Event, Message, Name, Parted, RelativePath, Sha256, Utc, derived_id
from contracts.problems import Problem
from contracts.states import CopyKind, CopyState


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
    """A copy that may not go, and why.

    Attributes:
        state: What the copy is from now on: as it was, only waiting for its age, or such that it could not be deleted.
        after: When it was refused before, or made known: tells this refusal from an equal one earlier.
    """

    copy_ref: CopyRef
    problem: Problem
    state: CopyState = CopyState.PRESENT
    after: Utc | None = None


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
    version = 2

    schema_version: int = 2
    location: Name
    refusals: tuple[RefusedCopy, ...]

    def identity(self) -> tuple[object, ...]:
        return (self.location, *(_refusal_identity(refusal) for refusal in self.refusals))

    def event_id(self, site: str) -> UUID:
        """The id as the first version made it: what is read from an old log keeps its own."""
        return derived_id("chasqui.copy.deletion_refused.v1", site, *self.identity())

    def about(self) -> str:
        return self.location


def _refusal_identity(refusal: RefusedCopy) -> str:
    copy, after = refusal.copy_ref, refusal.after
    return f"{copy.kind}:{copy.entity_id}:{refusal.problem.code}" + (f":{after.isoformat()}" if after else "")


_STATES_OF_CODES = {
    "retention": CopyState.DELETION_POSSIBLE,
    "delete_refused": CopyState.DELETION_FAILED,
    **dict.fromkeys(("still_staged", "folder_in_use", "folder_not_of_job"), CopyState.STAGED),
}


def refused_v1_to_v2(body: dict[str, Any]) -> dict[str, Any]:
    """The first version did not say what became of the copies: their codes do."""
    refusals = [
        {**one, "state": _STATES_OF_CODES.get(one["problem"]["code"], CopyState.PRESENT)}
        for one in body["refusals"]
    ]
    return body | {"schema_version": 2, "refusals": refusals}


class DeletionScheduled(Parted):
    """These copies are about to be deleted: said before anything is touched, so that the log knows the intent.

    `batch` is that of the CopyDeleted that follows; copies that stay after all are in a DeletionRefused.
    """

    entity = "copy"
    fact = "deletion_scheduled"

    location: Name
    batch: UUID
    copies: tuple[CopyRef, ...]

    def identity(self) -> tuple[object, ...]:
        return (self.location, self.batch, self.part)

    def about(self) -> str:
        return self.location


class CopyScrubbed(Event):
    """A copy was read in full again; `problem` is None if it is still whole.

    Archive copies are read now and then for this alone; a copy in a BUFFER when something it was used for
    did not go well.
    """

    entity = "copy"
    fact = "scrubbed"

    copy_ref: CopyRef
    scrubbed_at: Utc
    problem: Problem | None = None

    def identity(self) -> tuple[object, ...]:
        return (self.copy_ref.entity_id, self.copy_ref.location, self.scrubbed_at)

    def about(self) -> UUID:
        return self.copy_ref.entity_id


class CopyRepaired(Event):
    """A damaged or missing copy was written anew from a good one, and proven.

    Attributes:
        cause: The id of the CopyScrubbed that found the damage.
        repaired_from: The location of the copy that was read for it; a SOURCE where the package was built
            anew from its files; its own where only the sidecar was damaged.
        sha256: Of the bytes that are there now.
    """

    entity = "copy"
    fact = "repaired"

    copy_ref: CopyRef
    cause: UUID
    repaired_from: Name
    repaired_at: Utc
    sha256: Sha256

    def identity(self) -> tuple[object, ...]:
        return (self.copy_ref.entity_id, self.copy_ref.location, self.cause)

    def about(self) -> UUID:
        return self.copy_ref.entity_id


class CopyUnrepairable(Event):
    """A damaged or missing copy, and no good copy to write it anew from: an alarm.

    Attributes:
        cause: The id of the CopyScrubbed that found the damage.
        problem: What was looked for, where, and what was found.
    """

    entity = "copy"
    fact = "unrepairable"

    copy_ref: CopyRef
    cause: UUID
    problem: Problem

    def identity(self) -> tuple[object, ...]:
        return (self.copy_ref.entity_id, self.copy_ref.location, self.cause)

    def about(self) -> UUID:
        return self.copy_ref.entity_id


def copy_id(kind: CopyKind, entity_id: UUID, location: str) -> UUID:
    """The id of the PhysicalCopy of one thing at one location."""
    return derived_id("physical_copy", kind, entity_id, location)
