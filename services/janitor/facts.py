"""What a deletion is decided on: copies, and the world around them, as frozen values."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

from contracts.copies import CopyRef
from contracts.states import CopyState, FileState, PackageState, WorkState
from libs.sites.retention import Retention
from services.janitor.holds import NO_HOLDS, Holds


class Moment(Enum):
    """When `may_delete` is asked."""

    DECIDING = "deciding"
    """With what ops-db knows; nothing is touched on this word alone."""
    ACTING = "acting"
    """With what the archive and the disk answered just now; what was not looked at may not go."""


class Evidence(Enum):
    """What counts at this site as evidence that an archive holds a package."""

    ASKED = "asked"
    """The archive itself is asked before anything goes: this process has keys for it."""
    RECORDED = "recorded"
    """The proof that PackageArchived carries, which the archiver obtained: this process has no keys, as may be
    at a telescope. Give it the archive's keys, and it asks."""


class Standing(Enum):
    """What an archive said of an object when it was asked."""

    NOT_ASKED = "not_asked"
    """Nothing yet."""
    WHOLE = "whole"
    """It is there, with the size and the checksum of the package, as the archive says."""
    READ = "read"
    """It was read back just now: every byte is right."""
    MISSING = "missing"
    """There is no such object."""
    DAMAGED = "damaged"
    """It is there with another size or checksum, or with none."""
    UNREACHABLE = "unreachable"
    """The archive did not answer, or refused to."""
    SILENT = "silent"
    """It was not asked, as it did not answer for another package just now."""


@dataclass(frozen=True, slots=True)
class ArchiveCopy:
    """A package in an archive.

    Attributes:
        site: The archive's site.
        proven_at: When the copy was proven; None without a proof on record.
        verified_at: When it was last known to be whole: by that proof, a scrub or a repair.
        damage: Code of what the last scrub found; None if it was whole.
        evidence: What counts as evidence of it here.
        standing: What the archive said of it.
        found: The archive's answer in words.
    """

    location: str
    site: str
    key: str
    proven_at: datetime | None
    verified_at: datetime | None
    damage: str | None
    evidence: Evidence
    standing: Standing = Standing.NOT_ASKED
    found: str = ""


@dataclass(frozen=True, slots=True)
class PackageFacts:
    """A package, as far as its copies' fate depends on it.

    Attributes:
        size: Bytes of the tar; `sha256` is the tar's, too. None if unknown.
        archived_at: When it was first archived.
        verified_at: When it was first verified at the end of a hop.
        archives: The copies that archives of this deployment hold.
        open_bundles: Bundles it is in that are neither completed nor failed.
        unarrived: The destinations of its bundles where no copy of it was verified, or not yet.
        bundled: Whether it was ever put in a bundle.
        instrument: Whose it is.
        unit: Its ExecutedObsUnit.
        planned_at: When its files were chosen: what was done to one of them since, the packager may not have seen.
    """

    id: UUID
    name: str
    state: PackageState | None
    size: int | None
    sha256: str | None
    archived_at: datetime | None
    verified_at: datetime | None
    archives: tuple[ArchiveCopy, ...]
    open_bundles: tuple[UUID, ...]
    unarrived: tuple[str, ...] = ()
    bundled: bool = True
    instrument: str | None = None
    unit: UUID | None = None
    planned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StagedPackage:
    """A package that a job staged, and whose it is."""

    id: UUID
    instrument: str | None = None
    unit: UUID | None = None


@dataclass(frozen=True, slots=True)
class JobFacts:
    """A staging job, as far as its folder's fate depends on it.

    Attributes:
        sharing: Other jobs, still in use, that name the same folder.
        packages: What it staged.
    """

    id: UUID
    state: WorkState | None
    released_at: datetime | None
    sharing: tuple[UUID, ...] = ()
    packages: tuple[StagedPackage, ...] = ()


class Sight(Enum):
    """What there is to say of a place on disk without a file's facts."""

    NOT_LOOKED = "not_looked"
    """Nobody looked yet."""
    GONE = "gone"
    """Nothing is there: an earlier run was stopped after it deleted, or somebody else was faster."""
    NOT_REGULAR = "not_regular"
    """A link, folder, pipe or device stands there or on the way."""


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A regular file as it is now.

    Attributes:
        size: Bytes.
        mtime_ns: Last change of its content, in nanoseconds since 1970, as anybody may set it.
        ctime_ns: Last change of its inode, of which the system alone keeps the time.
        sha256: Of its content; None if it was not read.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    sha256: str | None = None


Seen = OnDisk | Sight


@dataclass(frozen=True, slots=True)
class SourceCopy:
    """A file where its instrument wrote it.

    Attributes:
        state: None for a file that nobody filed.
        size: Bytes as scanned and packaged; so is `mtime_ns`.
        sha256: As the packager computed it.
        seen: What is on the disk.
    """

    ref: CopyRef
    state: FileState | None
    size: int | None
    mtime_ns: int | None
    sha256: str | None
    seen: Seen = Sight.NOT_LOOKED


@dataclass(frozen=True, slots=True)
class BufferCopy:
    """A package in a BUFFER.

    Attributes:
        site: The BUFFER's site.
        feeds: The active archives of that site: the archiver fills each of them from here.
        departs: Whether it has yet to leave from here: it was sealed at this site, from which a route leads to
            an archive.
        landed_at: When it was there and known to be right.
        seen: What is on the disk.
    """

    ref: CopyRef
    site: str
    feeds: tuple[str, ...] = ()
    departs: bool = False
    landed_at: datetime | None = None
    seen: Seen = Sight.NOT_LOOKED


@dataclass(frozen=True, slots=True)
class StagedFolder:
    """Everything that one staging job put at a PROCESSING location, as one thing: it goes as a whole.

    Attributes:
        path: The folder, relative to the location's root.
        own: The folder that the job must have; no other one is ever deleted.
    """

    location: str
    path: str
    own: str


@dataclass(frozen=True, slots=True)
class ArchiveObject:
    """A package in an archive, asked about for completeness."""

    ref: CopyRef


Copy = SourceCopy | BufferCopy | StagedFolder | ArchiveObject


@dataclass(frozen=True, slots=True)
class History:
    """What ops-db says of a copy so far; not what its fate depends on, but what was told of it.

    Attributes:
        since: When it was made known: tells it from one at the same place before or after.
        state: As told last; None if it is not known.
        refusal: The code with which it was refused last; None if it was not, or was announced since.
        refused_at: When that was, or the time before.
    """

    since: datetime | None = None
    state: CopyState | None = None
    refusal: str | None = None
    refused_at: datetime | None = None

    @property
    def announced(self) -> bool:
        """Whether it was said that it goes, and not what came of it: a janitor was killed in between."""
        return self.state is CopyState.DELETION_SCHEDULED


NO_HISTORY = History()


@dataclass(frozen=True, slots=True)
class World:
    """What a copy's fate depends on besides itself.

    Attributes:
        retention: Of the copy's location.
        pressed: Whether the location's disk is so full that archived copies go before their age.
        package: The package it is, or is in; None if there is none.
        job: The job it was staged for; None if there is none.
        holds: Those that stand.
    """

    moment: Moment
    now: datetime
    retention: Retention
    pressed: bool = False
    package: PackageFacts | None = None
    job: JobFacts | None = None
    holds: Holds = NO_HOLDS
