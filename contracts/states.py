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
    """`may_delete` says yes; retention or pressure decides when."""
    DELETION_SCHEDULED = "deletion_scheduled"
    """Chosen to be deleted."""
    DELETION_IN_PROGRESS = "deletion_in_progress"
    """Being deleted."""
    DELETED = "deleted"
    """Gone."""
    DELETION_FAILED = "deletion_failed"
    """Storage refused; tried again by the next sweep."""


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


COPY_TRANSITIONS: dict[CopyState, frozenset[CopyState]] = {
    CopyState.PRESENT: frozenset({CopyState.STAGED, CopyState.DELETION_POSSIBLE, CopyState.DELETED}),
    CopyState.STAGED: frozenset({CopyState.DELETION_POSSIBLE, CopyState.DELETED}),
    CopyState.DELETION_POSSIBLE: frozenset(
        {CopyState.PRESENT, CopyState.DELETION_SCHEDULED, CopyState.DELETED}
    ),
    CopyState.DELETION_SCHEDULED: frozenset({CopyState.PRESENT, CopyState.DELETION_IN_PROGRESS}),
    CopyState.DELETION_IN_PROGRESS: frozenset({CopyState.DELETED, CopyState.DELETION_FAILED}),
    CopyState.DELETION_FAILED: frozenset({CopyState.DELETION_SCHEDULED, CopyState.DELETED}),
    CopyState.DELETED: frozenset({CopyState.PRESENT}),
}
"""What a copy may become. A deleted copy becomes present again only by new bytes (a repeat transfer)."""
