"""Every reason for which a copy stays: a code, what was found, and what can be done."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from contracts.problems import Problem
from contracts.states import FileState
from services.janitor.facts import (
    ArchiveCopy,
    ArchiveObject,
    BufferCopy,
    PackageFacts,
    SourceCopy,
    StagedFolder,
    World,
)

_BY_ITSELF = "Nothing is to be done: it is looked at again by itself."
_FILE_CODES = {FileState.REFUSED: "file_refused", FileState.MISSING: "file_missing"}


def archive_copy(copy: ArchiveObject) -> Problem:
    """Archives are for ever."""
    return Problem(
        code="archive_copy",
        reason=f"{copy.ref.path} in {copy.ref.location} is an archive copy",
        remedy="Archive copies are never deleted by this system.",
    )


def unfiled(copy: SourceCopy) -> Problem:
    """Nobody said whose it is."""
    return Problem(
        code="file_unfiled",
        reason=f"{copy.ref.path} belongs to no observation",
        remedy="File it, or remove it by hand.",
    )


def not_packaged(copy: SourceCopy) -> Problem:
    """It exists nowhere else."""
    state = copy.state or "unfiled"
    return Problem(
        code=_FILE_CODES.get(copy.state, "not_packaged") if copy.state else "file_unfiled",
        reason=f"{copy.ref.path} is {state}: it is in no sealed package",
        remedy="'chasqui explain' of the file says what it waits for.",
    )


def file_unknown(copy: SourceCopy) -> Problem:
    """Nothing to compare the disk with."""
    return Problem(
        code="file_checksum_unknown",
        reason=f"size, time or checksum of {copy.ref.path} as it was packaged are not known",
        remedy=_BY_ITSELF,
    )


def not_archived(package: PackageFacts | None) -> Problem:
    """No archive is known to hold it."""
    name = package.name if package is not None else "its package"
    return Problem(
        code="not_archived",
        reason=f"{name} is not archived",
        remedy="'chasqui explain' of the package says what it waits for.",
    )


def package_unknown(package: PackageFacts) -> Problem:
    """Nothing to compare the archive with."""
    return Problem(
        code="package_checksum_unknown",
        reason=f"size or checksum of {package.name} are not known here yet",
        remedy=_BY_ITSELF,
    )


def archive_damaged(package: PackageFacts, archive: ArchiveCopy) -> Problem:
    """A local copy may be what mends it."""
    what = archive.found or f"its last scrub found {archive.damage}"
    return Problem(
        code="archive_copy_damaged",
        reason=f"{package.name} in {archive.location} is not what was archived: {what}",
        remedy="Archive the package again from this or another verified copy.",
    )


def archive_missing(package: PackageFacts, archive: ArchiveCopy) -> Problem:
    """A local copy may be what replaces it."""
    return Problem(
        code="archive_copy_missing",
        reason=f"{package.name} is on record in {archive.location}, but {archive.key} is not there",
        remedy="Find out who removed it; archive the package again from this or another verified copy.",
    )


def archive_unreachable(package: PackageFacts, archive: ArchiveCopy) -> Problem:
    """Without the archive's word nothing goes."""
    return Problem(
        code="archive_unreachable",
        reason=f"{archive.location} could not be asked about {package.name}: {archive.found}",
        remedy="Check the archive and the way to it; nothing is deleted until it answers.",
    )


def too_few(package: PackageFacts, proven: int, required: int) -> Problem:
    """The last verified copies are never up for deletion."""
    return Problem(
        code="too_few_archive_copies",
        reason=f"{package.name} has {proven} proven archive copies of {required} required",
        remedy="Look why it is not in the other archives, or lower retention.archive_copies.",
    )


def archive_pending(package: PackageFacts, missing: Sequence[str]) -> Problem:
    """The archiver reads it from here."""
    return Problem(
        code="archive_pending",
        reason=f"{package.name} is still to be archived in {', '.join(missing)}",
        remedy="Nothing, if that archive is only slow; set it inactive if it is to get nothing more.",
    )


def not_verified(package: PackageFacts) -> Problem:
    """The other end has not confirmed it."""
    return Problem(
        code="not_verified",
        reason=f"{package.name} was not verified at the other end of its route",
        remedy=_BY_ITSELF,
    )


def bundle_open(package: PackageFacts) -> Problem:
    """A mover may read it."""
    bundles = ", ".join(map(str, package.open_bundles))
    return Problem(
        code="bundle_in_progress",
        reason=f"{package.name} is in bundles that still travel: {bundles}",
        remedy=_BY_ITSELF,
    )


def kept(due: datetime, world: World) -> Problem:
    """Retention."""
    return Problem(
        code="retention",
        reason=f"it is kept until {due.isoformat(timespec='seconds')}",
        remedy=f"Nothing: it goes then, or when the disk is {world.retention.high_water:.0%} full. "
        "Shorten retention.keep_for to free space sooner.",
    )


def changed(
    copy: SourceCopy | BufferCopy, expected: tuple[int | None, ...], found: tuple[int, ...]
) -> Problem:
    """What is there now is in no archive."""
    return Problem(
        code="changed_on_disk",
        reason=f"{copy.ref.path} is no longer what was packaged: size and time {found}, not {expected}",
        remedy="If the new content matters, save it under a new name and file it; then remove this file by hand.",
    )


def not_regular(copy: SourceCopy | BufferCopy) -> Problem:
    """Links are never followed."""
    return Problem(
        code="not_a_regular_file",
        reason=f"a link, folder, pipe or device stands at {copy.ref.path} or on the way to it",
        remedy="Look at what is there now, and remove it by hand.",
    )


def not_looked(copy: SourceCopy | BufferCopy) -> Problem:
    """Acting blindly is a defect."""
    return Problem(
        code="not_looked_at",
        reason=f"{copy.ref.path} was not looked at before it was to go",
        remedy="Report this as a defect; nothing was deleted.",
    )


def not_deletable(path: str, error: str) -> Problem:
    """The storage said no."""
    return Problem(
        code="delete_refused",
        reason=f"{path} could not be deleted: {error}",
        remedy="Give the janitor's user the right to delete there; it is tried again by itself.",
    )


def foreign_folder(copy: StagedFolder) -> Problem:
    """Only what a job made is cleared."""
    return Problem(
        code="folder_not_of_job",
        reason=f"{copy.path!r} is not the folder of a staging job, {copy.own!r}",
        remedy="Remove it by hand if it is no longer needed.",
    )


def still_staged(copy: StagedFolder) -> Problem:
    """Somebody works with it."""
    return Problem(
        code="still_staged",
        reason=f"the job of {copy.path} was neither released nor has it expired",
        remedy="Release the job when the data is no longer needed.",
    )


def shared_folder(copy: StagedFolder, jobs: Sequence[UUID]) -> Problem:
    """Somebody else works with it."""
    return Problem(
        code="folder_in_use",
        reason=f"other jobs use {copy.path}: {', '.join(map(str, jobs))}",
        remedy="Release those jobs, too.",
    )
