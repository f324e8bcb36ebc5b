"""Every state that something can be in, and the tables of what may follow what."""

from enum import StrEnum


class LocationType(StrEnum):
    """What a data location is for."""

    SOURCE = "source"
    """Disks on which instruments write."""
    BUFFER = "buffer"
    """Where packages wait for, and arrive from, transfers."""
    LONG_TERM_ARCHIVE = "long_term_archive"
    """Where packages stay."""
    PROCESSING = "processing"
    """Where scientists work on staged data."""


class StorageType(StrEnum):
    """How a data location keeps its bytes."""

    DISK = "disk"
    """A local or mounted file system."""
    S3 = "s3"
    """Objects behind the S3 protocol."""
    TAPE = "tape"
    """A tape library (registered only; no engine yet)."""


class RouteType(StrEnum):
    """How data gets from one site to another."""

    DIRECT = "direct"
    """From the origin's buffer to the destination's buffer."""
    RELAY = "relay"
    """Through the buffer of a site between."""
    CUSTOM = "custom"
    """From one named location to another."""


class ObservationState(StrEnum):
    """The state of an ExecutedObsUnit."""

    RUNNING = "running"
    """Started: files may still be filed."""
    FINISHED = "finished"
    """Finished: the list of files is closed."""
    ABORTED = "aborted"
    """Finished early; what was filed is kept all the same."""


class FileState(StrEnum):
    """The state of a RawDataFile on its way into a package."""

    FILED = "filed"
    """Registered; the scanner looks for it."""
    MISSING = "missing"
    """Registered, but not there (yet, or any more)."""
    REFUSED = "refused"
    """There, but not what was declared: a person decides."""
    SCANNED = "scanned"
    """There, complete and quiet."""
    PLANNED = "planned"
    """Assigned to a package."""
    PACKAGED = "packaged"
    """In a sealed package, with its checksum."""


class PackageState(StrEnum):
    """The state of a RawDataPackage; the last four are the field's terms."""

    PLANNED = "planned"
    """Its files are chosen; the tar is being written."""
    ABANDONED = "abandoned"
    """A file changed under the packager; its other files are planned anew."""
    WAITING = "waiting"
    """Sealed in the first buffer."""
    TRANSFERRING = "transferring"
    """In a bundle on its way."""
    FAILED = "failed"
    """Damaged or refused; see its reason."""
    ARCHIVED = "archived"
    """Proven to be in an archive."""


class WorkState(StrEnum):
    """The state of a transfer, an archive transfer or a staging job."""

    PENDING = "pending"
    """Known, not begun."""
    SCHEDULED = "scheduled"
    """Chosen to be done next."""
    IN_PROGRESS = "in_progress"
    """Being done."""
    COMPLETED = "completed"
    """Done, and proven."""
    FAILED = "failed"
    """Given up; see its reason."""


class CopyKind(StrEnum):
    """What a PhysicalCopy is a copy of."""

    RAW_DATA_FILE = "raw_data_file"
    """A file an instrument wrote."""
    RAW_DATA_PACKAGE = "raw_data_package"
    """A sealed package."""
    DATA_TRANSFER_PACKAGE = "data_transfer_package"
    """A bundle of packages."""


class CopyState(StrEnum):
    """The state of a PhysicalCopy."""

    PRESENT = "present"
    """The bytes are there."""
    STAGED = "staged"
    """Unpacked at a PROCESSING location; the tar itself is gone."""
    DELETION_POSSIBLE = "deletion_possible"
    """The bytes are there, and may go as soon as they are old enough, or the disk is too full."""
    DELETION_SCHEDULED = "deletion_scheduled"
    """It was announced that they go now: whoever finds a copy like this after a while finishes it, or undoes it."""
    DELETION_IN_PROGRESS = "deletion_in_progress"
    """Being deleted; passed through between an announcement and what came of it (see `CopyStep.BEGUN`)."""
    DELETED = "deleted"
    """Gone."""
    DELETION_FAILED = "deletion_failed"
    """The bytes are there: the storage refused to delete them. It is tried again by a later sweep."""


class FailureKind(StrEnum):
    """Why a message became a dead letter."""

    EXHAUSTED = "exhausted"
    """What passes by itself did not pass within the attempts that its subscription allows."""
    PERMANENT = "permanent"
    """Trying again cannot help."""
    POISON = "poison"
    """The message itself cannot be read."""
    UNEXPECTED = "unexpected"
    """An error that nobody planned for, again and again."""


class LetterState(StrEnum):
    """The state of a dead letter."""

    BURIED = "buried"
    """It waits for an operator."""
    RETRIED = "retried"
    """It was sent again; its handler has it, or will."""
    SETTLED = "settled"
    """The retry went well."""
    DROPPED = "dropped"
    """An operator decided that it need not be handled."""


class HoldKind(StrEnum):
    """What a hold keeps from deletion."""

    LOCATION = "location"
    """Everything at a data location."""
    INSTRUMENT = "instrument"
    """Everything of an instrument."""
    EXECUTED_OBS_UNIT = "executed_obs_unit"
    """Everything of an observation."""
    RAW_DATA_PACKAGE = "raw_data_package"
    """A package and the files in it."""
    RAW_DATA_FILE = "raw_data_file"
    """A file, and the package it is in."""


class PreviewState(StrEnum):
    """Whether a file has pictures."""

    PENDING = "pending"
    """Not looked at yet."""
    RENDERED = "rendered"
    """Thumbnail and preview are there."""
    NO_PREVIEW = "no_preview"
    """Nothing to show, with a reason."""
    FAILED = "failed"
    """The renderer gave up, with a reason."""


class CopyStep(StrEnum):
    """What happens to a copy."""

    ARRIVED = "arrived"
    """New bytes are there: files were scanned, a package was sealed, verified, archived, staged or repaired."""
    REFUSED = "refused"
    """Its deletion was refused (`DeletionRefused`): when it was decided, at the last look, or to undo what a killed
    janitor had announced."""
    SCHEDULED = "scheduled"
    """Its deletion was announced (`DeletionScheduled`)."""
    BEGUN = "begun"
    """The janitor deletes it. No event says so: it follows the announcement at once, and one more event a batch
    would say what the log says already. So a copy passes through this state, and is never seen in it."""
    DELETED = "deleted"
    """It is gone (`CopyDeleted`)."""


_THERE = frozenset(
    {CopyState.PRESENT, CopyState.STAGED, CopyState.DELETION_POSSIBLE, CopyState.DELETION_FAILED}
)

COPY_STEPS: dict[CopyStep, dict[CopyState, frozenset[CopyState]]] = {
    CopyStep.ARRIVED: {
        CopyState.PRESENT: frozenset(CopyState),
        CopyState.STAGED: frozenset(CopyState),
    },
    CopyStep.REFUSED: {
        CopyState.PRESENT: frozenset(
            {
                CopyState.PRESENT,
                CopyState.DELETION_POSSIBLE,
                CopyState.DELETION_SCHEDULED,
                CopyState.DELETION_IN_PROGRESS,
                CopyState.DELETION_FAILED,
            }
        ),
        CopyState.STAGED: frozenset(
            {
                CopyState.STAGED,
                CopyState.DELETION_SCHEDULED,
                CopyState.DELETION_IN_PROGRESS,
                CopyState.DELETION_FAILED,
            }
        ),
        CopyState.DELETION_POSSIBLE: frozenset(
            {
                CopyState.PRESENT,
                CopyState.DELETION_POSSIBLE,
                CopyState.DELETION_SCHEDULED,
                CopyState.DELETION_IN_PROGRESS,
                CopyState.DELETION_FAILED,
            }
        ),
        # From a state that was not announced: as logs tell it that are older than announcements.
        CopyState.DELETION_FAILED: frozenset({*_THERE, CopyState.DELETION_IN_PROGRESS}),
    },
    CopyStep.SCHEDULED: {CopyState.DELETION_SCHEDULED: frozenset({*_THERE, CopyState.DELETION_SCHEDULED})},
    CopyStep.BEGUN: {CopyState.DELETION_IN_PROGRESS: frozenset({CopyState.DELETION_SCHEDULED})},
    # From a state that was not announced: as above.
    CopyStep.DELETED: {
        CopyState.DELETED: frozenset({*_THERE, CopyState.DELETION_IN_PROGRESS, CopyState.DELETED})
    },
}
"""What each step makes of a copy, and from which states; from any other it makes nothing of it.

All events about one copy are in the stream of its site, so they come in their order everywhere.
"""

COPY_TRANSITIONS: dict[CopyState, frozenset[CopyState]] = {
    before: frozenset(
        after
        for steps in COPY_STEPS.values()
        for after, froms in steps.items()
        if before in froms and after is not before
    )
    for before in CopyState
}
"""What a copy may become next."""


def copy_sources(step: CopyStep, after: CopyState) -> frozenset[CopyState]:
    """The states that a copy may be in, as told, before a step that leads to `after`.

    What is passed through counts as being in the state before it.
    """
    sources = COPY_STEPS[step][after]
    if CopyState.DELETION_IN_PROGRESS in sources:
        sources |= COPY_STEPS[CopyStep.BEGUN][CopyState.DELETION_IN_PROGRESS]
    return sources
