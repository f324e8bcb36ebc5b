"""Every reason for which a copy stays: a code, what was found, and what can be done."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts.problems import Problem
from contracts.states import FileState
from libs.sites.retention import ArchiveEvidence, Retention
from services.janitor.facts import (
    ArchiveCopy,
    ArchiveObject,
    BufferCopy,
    PackageFacts,
    SourceCopy,
    StagedFolder,
)
from services.janitor.holds import Hold


class Code(StrEnum):
    """Why a copy stays, in the order in which it is asked: the first one that applies is told."""

    ARCHIVE_COPY = "archive_copy"
    """It is an archive copy: these are never deleted."""
    FILE_UNFILED = "file_unfiled"
    """Nobody filed the file: it belongs to no observation."""
    FILE_MISSING = "file_missing"
    """The file was filed, but never seen whole."""
    FILE_REFUSED = "file_refused"
    """The file is not what was declared, and in no package."""
    NOT_PACKAGED = "not_packaged"
    """The file is in no sealed package yet."""
    FILE_CHECKSUM_UNKNOWN = "file_checksum_unknown"
    """Size, time or checksum of the file as packaged are not known here yet."""
    NOT_ARCHIVED = "not_archived"
    """The package is in no archive yet."""
    PACKAGE_CHECKSUM_UNKNOWN = "package_checksum_unknown"
    """Size or checksum of the package are not known here yet."""
    ARCHIVE_COPY_DAMAGED = "archive_copy_damaged"
    """An archive copy is damaged: this copy may be what mends it."""
    ARCHIVE_COPY_MISSING = "archive_copy_missing"
    """An archive lost its copy: this copy may be what replaces it."""
    ARCHIVE_UNREACHABLE = "archive_unreachable"
    """An archive whose word is needed did not answer."""
    ARCHIVE_PROOF_OLD = "archive_proof_old"
    """The last proof or scrub of an archive copy that is needed is older than `proof_max_age`."""
    ARCHIVE_NOT_ASKED = "archive_not_asked"
    """`evidence` wants archives to be asked or read that cannot be from here."""
    TOO_FEW_ARCHIVE_COPIES = "too_few_archive_copies"
    """Fewer than `archive_copies` archive copies are proven."""
    TOO_FEW_ARCHIVE_SITES = "too_few_archive_sites"
    """The proven archive copies are at fewer than `archive_sites` sites."""
    NOT_VERIFIED = "not_verified"
    """The package was not verified at the other end of its route, or not yet."""
    ARCHIVE_PENDING = "archive_pending"
    """Another archive is still to be filled from this copy."""
    BUNDLE_PENDING = "bundle_pending"
    """The package has yet to leave from here."""
    BUNDLE_IN_PROGRESS = "bundle_in_progress"
    """The package is in a bundle that travels."""
    FOLDER_NOT_OF_JOB = "folder_not_of_job"
    """The folder is none that a staging job made."""
    STILL_STAGED = "still_staged"
    """The staging job is in use."""
    FOLDER_IN_USE = "folder_in_use"
    """Another staging job uses the folder."""
    NOT_LOOKED_AT = "not_looked_at"
    """A defect: nobody looked at the file before it was to go."""
    NOT_A_REGULAR_FILE = "not_a_regular_file"
    """A link, folder, pipe or device stands there or on the way."""
    CHANGED_ON_DISK = "changed_on_disk"
    """Size or time of the file are not what they were."""
    CONTENT_NOT_READ = "content_not_read"
    """`verify_before_delete` wants the file read, and it was not, or it changed meanwhile."""
    CONTENT_CHANGED = "content_changed"
    """The file was read, and its checksum is not what it was."""
    HELD = "held"
    """Somebody holds it."""
    RETENTION = "retention"
    """Its age is all that is missing."""
    REPLACED = "replaced"
    """It was to go, and another file took its place at the last moment."""
    DELETE_REFUSED = "delete_refused"
    """It was to go, and the storage said no."""


_BY_ITSELF = "Nothing is to be done: it is looked at again by itself."
_FILE_CODES = {FileState.REFUSED: Code.FILE_REFUSED, FileState.MISSING: Code.FILE_MISSING}


def archive_copy(copy: ArchiveObject) -> Problem:
    """Archives are for ever."""
    return Problem(
        code=Code.ARCHIVE_COPY,
        reason=f"{copy.ref.path} in {copy.ref.location} is an archive copy",
        remedy="Archive copies are never deleted by this system.",
    )


def unfiled(copy: SourceCopy) -> Problem:
    """Nobody said whose it is."""
    return Problem(
        code=Code.FILE_UNFILED,
        reason=f"{copy.ref.path} belongs to no observation",
        remedy="File it, or remove it by hand.",
    )


def not_packaged(copy: SourceCopy, state: FileState) -> Problem:
    """It exists nowhere else."""
    return Problem(
        code=_FILE_CODES.get(state, Code.NOT_PACKAGED),
        reason=f"{copy.ref.path} is {state}: it is in no sealed package",
        remedy="'chasqui explain' of the file says what it waits for.",
    )


def file_unknown(copy: SourceCopy) -> Problem:
    """Nothing to compare the disk with."""
    return Problem(
        code=Code.FILE_CHECKSUM_UNKNOWN,
        reason=f"size, time or checksum of {copy.ref.path} as it was packaged are not known",
        remedy=_BY_ITSELF,
    )


def not_archived(package: PackageFacts | None) -> Problem:
    """No archive is known to hold it."""
    name = package.name if package is not None else "its package"
    return Problem(
        code=Code.NOT_ARCHIVED,
        reason=f"{name} is not archived",
        remedy="'chasqui explain' of the package says what it waits for.",
    )


def package_unknown(package: PackageFacts) -> Problem:
    """Nothing to compare the archive with."""
    return Problem(
        code=Code.PACKAGE_CHECKSUM_UNKNOWN,
        reason=f"size or checksum of {package.name} are not known here yet",
        remedy=_BY_ITSELF,
    )


def archive_damaged(package: PackageFacts, archive: ArchiveCopy) -> Problem:
    """A local copy may be what mends it."""
    what = archive.found or f"its last scrub found {archive.damage}"
    return Problem(
        code=Code.ARCHIVE_COPY_DAMAGED,
        reason=f"{package.name} in {archive.location} is not what was archived: {what}",
        remedy="Archive the package again from this or another verified copy.",
    )


def archive_missing(package: PackageFacts, archive: ArchiveCopy) -> Problem:
    """A local copy may be what replaces it."""
    return Problem(
        code=Code.ARCHIVE_COPY_MISSING,
        reason=f"{package.name} is on record in {archive.location}, but {archive.key} is not there",
        remedy="Find out who removed it; archive the package again from this or another verified copy.",
    )


def archive_unreachable(package: PackageFacts, archive: ArchiveCopy) -> Problem:
    """Without the archive's word nothing goes."""
    return Problem(
        code=Code.ARCHIVE_UNREACHABLE,
        reason=f"{archive.location} could not be asked about {package.name}: {archive.found}",
        remedy="Check the archive and the way to it; nothing is deleted until it answers.",
    )


def proof_old(package: PackageFacts, archive: ArchiveCopy, retention: Retention) -> Problem:
    """Much may have happened to it since."""
    when = archive.verified_at or archive.proven_at
    return Problem(
        code=Code.ARCHIVE_PROOF_OLD,
        reason=f"{package.name} in {archive.location} was last known to be whole at "
        f"{when.isoformat(timespec='seconds') if when else 'no time'}, "
        f"longer than {retention.proof_max_age} ago",
        remedy="Nothing, if that archive is scrubbed: the next scrub counts. Otherwise raise "
        "retention.proof_max_age, or write retention.evidence: read.",
    )


def not_asked(package: PackageFacts, archive: ArchiveCopy, policy: ArchiveEvidence) -> Problem:
    """Its word is wanted, and cannot be had."""
    return Problem(
        code=Code.ARCHIVE_NOT_ASKED,
        reason=f"{package.name} in {archive.location} was not {policy} from here, as retention.evidence wants",
        remedy=f"Give this site's janitor the keys of {archive.location}, or write retention.evidence: recorded.",
    )


def too_few(package: PackageFacts, proven: int, required: int) -> Problem:
    """The last verified copies are never up for deletion."""
    return Problem(
        code=Code.TOO_FEW_ARCHIVE_COPIES,
        reason=f"{package.name} has {proven} proven archive copies of {required} required",
        remedy="Look why it is not in the other archives, or lower retention.archive_copies.",
    )


def too_few_sites(package: PackageFacts, sites: Sequence[str], required: int) -> Problem:
    """One disaster may take all archives of a site."""
    return Problem(
        code=Code.TOO_FEW_ARCHIVE_SITES,
        reason=f"{package.name} is archived at {len(sites)} sites of {required} required: {', '.join(sites)}",
        remedy="Look why it is not in another site's archive, or lower retention.archive_sites.",
    )


def not_verified(package: PackageFacts) -> Problem:
    """The other end has not confirmed it."""
    where = ", ".join(package.unarrived) or "the other end of its route"
    return Problem(
        code=Code.NOT_VERIFIED,
        reason=f"{package.name} was not verified at {where}: it may have to travel again from here",
        remedy="Nothing, if it is on its way; otherwise 'chasqui explain' of the package says what it waits for.",
    )


def archive_pending(package: PackageFacts, missing: Sequence[str]) -> Problem:
    """The archiver reads it from here."""
    return Problem(
        code=Code.ARCHIVE_PENDING,
        reason=f"{package.name} is still to be archived in {', '.join(missing)}",
        remedy="Nothing, if that archive is only slow; set it inactive if it is to get nothing more.",
    )


def bundle_pending(package: PackageFacts) -> Problem:
    """The bundler takes it from here."""
    return Problem(
        code=Code.BUNDLE_PENDING,
        reason=f"{package.name} is in no bundle yet, and a route leads from here",
        remedy=_BY_ITSELF,
    )


def bundle_open(package: PackageFacts) -> Problem:
    """A mover may read it."""
    bundles = ", ".join(map(str, package.open_bundles))
    return Problem(
        code=Code.BUNDLE_IN_PROGRESS,
        reason=f"{package.name} is in bundles that still travel: {bundles}",
        remedy=_BY_ITSELF,
    )


def held(hold: Hold) -> Problem:
    """Somebody wants it to stay."""
    since = f" since {hold.placed_at.isoformat(timespec='seconds')}" if hold.placed_at else ""
    return Problem(
        code=Code.HELD,
        reason=f"{hold.placed_by or 'somebody'} holds {hold.kind} {hold.target}{since}: {hold.reason}",
        remedy=f"When it is no longer needed: chasqui hold release {hold.id}",
    )


def kept(due: datetime, retention: Retention) -> Problem:
    """Retention."""
    return Problem(
        code=Code.RETENTION,
        reason=f"it is kept until {due.isoformat(timespec='seconds')}",
        remedy=f"Nothing: it goes then, or when the disk is {retention.high_water:.0%} full. "
        "Shorten retention.keep_for to free space sooner.",
    )


def changed(
    copy: SourceCopy | BufferCopy, expected: tuple[int | None, ...], found: tuple[int, ...]
) -> Problem:
    """What is there now is in no archive."""
    return Problem(
        code=Code.CHANGED_ON_DISK,
        reason=f"{copy.ref.path} is no longer what was packaged: size and time {found}, not {expected}",
        remedy="If the new content matters, save it under a new name and file it; then remove this file by hand.",
    )


def content_changed(copy: SourceCopy | BufferCopy, expected: str | None, found: str | None) -> Problem:
    """What is there now is in no archive, though it looks like it.

    Args:
        copy: The file.
        expected: Its checksum as it was packaged.
        found: What it is now; None if it was read before, and was not touched since.
    """
    what = f"SHA-256 {found}, not {expected}" if found else "it was read, and nobody touched it since"
    return Problem(
        code=Code.CONTENT_CHANGED,
        reason=f"{copy.ref.path} has the size and time of what was packaged, but another content: {what}",
        remedy="If the new content matters, save it under a new name and file it; then remove this file by hand. "
        "If nobody wrote it, check the disk.",
    )


def content_unread(copy: SourceCopy | BufferCopy) -> Problem:
    """It is to be read before it goes."""
    return Problem(
        code=Code.CONTENT_NOT_READ,
        reason=f"{copy.ref.path} could not be read to its end as one unchanging file",
        remedy="Nothing, if somebody is writing to it; otherwise check the disk and the rights of the janitor.",
    )


def not_regular(copy: SourceCopy | BufferCopy) -> Problem:
    """Links are never followed."""
    return Problem(
        code=Code.NOT_A_REGULAR_FILE,
        reason=f"a link, folder, pipe or device stands at {copy.ref.path} or on the way to it",
        remedy="Look at what is there now, and remove it by hand.",
    )


def not_looked(copy: SourceCopy | BufferCopy) -> Problem:
    """Acting blindly is a defect."""
    return Problem(
        code=Code.NOT_LOOKED_AT,
        reason=f"{copy.ref.path} was not looked at before it was to go",
        remedy="Report this as a defect; nothing was deleted.",
    )


def not_deletable(path: str, error: str) -> Problem:
    """The storage said no."""
    return Problem(
        code=Code.DELETE_REFUSED,
        reason=f"{path} could not be deleted: {error}",
        remedy="Give the janitor's user the right to delete there; it is tried again by itself.",
    )


def replaced(path: str) -> Problem:
    """Not the file that was looked at."""
    return Problem(
        code=Code.REPLACED,
        reason=f"another file took the place of {path} just before it was deleted",
        remedy="Nothing to do: the new one is looked at by itself.",
    )


def foreign_folder(copy: StagedFolder) -> Problem:
    """Only what a job made is cleared."""
    return Problem(
        code=Code.FOLDER_NOT_OF_JOB,
        reason=f"{copy.path!r} is not the folder of a staging job, {copy.own!r}",
        remedy="Remove it by hand if it is no longer needed.",
    )


def still_staged(copy: StagedFolder) -> Problem:
    """Somebody works with it."""
    return Problem(
        code=Code.STILL_STAGED,
        reason=f"the job of {copy.path} was neither released nor has it expired",
        remedy="Release the job when the data is no longer needed.",
    )


def shared_folder(copy: StagedFolder, jobs: Sequence[UUID]) -> Problem:
    """Somebody else works with it."""
    return Problem(
        code=Code.FOLDER_IN_USE,
        reason=f"other jobs use {copy.path}: {', '.join(map(str, jobs))}",
        remedy="Release those jobs, too.",
    )
