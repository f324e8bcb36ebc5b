"""RawDataPackage: a tar of one unit's and module's files, from its plan to the archive."""

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from contracts.base import ByteCount, Event, Message, Name, RelativePath, Sha256, Utc, derived_id
from contracts.observations import Target
from contracts.problems import Problem


class Provenance(Message):
    """Where a package's bytes come from; goes into bag-info, sidecar and catalogue."""

    observatory: str
    telescope: str
    site: Name
    instrument: Name
    module: Name
    executed_obs_unit_id: UUID
    obs_unit: str | None = None
    observing_program: str | None = None
    obs_mode: str | None = None
    target: Target | None = None
    start_time: Utc | None = None
    end_time: Utc | None = None


class PackageRecord(Message):
    """A sealed package, as every later station needs to know it.

    Attributes:
        name: File name of the tar; the bag's folder has the same name without ``.tar``.
        size: Bytes of the tar.
        sha256: Of the tar.
        payload_bytes: Sum of the files' sizes.
        priority: Lower first.
    """

    package_id: UUID
    name: str
    size: ByteCount
    sha256: Sha256
    file_count: int = Field(ge=1)
    payload_bytes: ByteCount
    priority: int = 5
    provenance: Provenance


class PackagePlanned(Event):
    """A package's files are chosen (its FilesAssigned parts precede it); the tar is to be written.

    Attributes:
        number: Counts the plans of one unit and module from 1, abandoned ones included.
        source: The SOURCE location the files are in.
        buffer: The BUFFER location the tar is written to.
    """

    entity = "package"
    fact = "planned"

    package_id: UUID
    number: int = Field(ge=1)
    name: str
    source: Name
    buffer: Name
    file_count: int = Field(ge=1)
    payload_bytes: ByteCount
    priority: int = 5
    provenance: Provenance

    def identity(self) -> tuple[object, ...]:
        return (self.package_id,)

    def about(self) -> UUID:
        return self.package_id


class PackageAbandoned(Event):
    """A plan was given up because files changed; its remaining files are free to be planned again."""

    entity = "package"
    fact = "abandoned"

    package_id: UUID
    executed_obs_unit_id: UUID
    problem: Problem

    def identity(self) -> tuple[object, ...]:
        return (self.package_id,)

    def about(self) -> UUID:
        return self.package_id


class PackageSealed(Event):
    """The tar is whole, synced, and under its final name in a BUFFER (its FilesPackaged parts precede it)."""

    entity = "package"
    fact = "sealed"

    package: PackageRecord
    source: Name
    buffer: Name
    path: RelativePath

    def identity(self) -> tuple[object, ...]:
        return (self.package.package_id, self.package.sha256)

    def about(self) -> UUID:
        return self.package.package_id


class PackageVerified(Event):
    """The package and every file in it were read and match their checksums, at a destination's BUFFER."""

    entity = "package"
    fact = "verified"

    package: PackageRecord
    bundle_id: UUID
    transfer_id: UUID
    location: Name
    path: RelativePath

    def identity(self) -> tuple[object, ...]:
        return (self.package.package_id, self.location, self.transfer_id)

    def about(self) -> UUID:
        return self.package.package_id


class PackageCorrupted(Event):
    """What arrived is not, or is no longer, what was sent; this package alone is to travel again.

    Attributes:
        origin: The site that is to send it again; `origin_location` and `origin_path` are its copy there.
        attempt: How many times it has been sent by now, over all hops.
    """

    entity = "package"
    fact = "corrupted"

    package: PackageRecord
    bundle_id: UUID
    transfer_id: UUID
    origin: Name
    origin_location: Name
    origin_path: RelativePath
    location: Name
    attempt: int = Field(ge=1)
    problems: tuple[Problem, ...]

    def identity(self) -> tuple[object, ...]:
        return (self.package.package_id, self.location, self.transfer_id)

    def about(self) -> UUID:
        return self.package.package_id


class PackageFailed(Event):
    """A package was given up where it is; the message that led to it is among the dead letters.

    Attributes:
        cause: The id of the event that could not be followed.
        service: Who gave it up.
    """

    entity = "package"
    fact = "failed"

    package_id: UUID
    cause: UUID
    service: Name
    problem: Problem

    def identity(self) -> tuple[object, ...]:
        return (self.package_id, self.cause, self.service)

    def about(self) -> UUID:
        return self.package_id


class ProofMode(StrEnum):
    """How it was proven that an archive holds a package."""

    HEAD = "head"
    """The server reports our size and checksum."""
    BYTES = "bytes"
    """Every byte was read back and hashed."""


class ArchiveProof(Message):
    """The evidence that an archive copy is whole."""

    mode: ProofMode
    proven_at: Utc
    size: ByteCount
    sha256: Sha256
    bytes_read: ByteCount


class PackageArchived(Event):
    """An archive holds the package, and this was proven."""

    entity = "package"
    fact = "archived"

    package: PackageRecord
    location: Name
    bucket: str
    key: str
    sidecar_key: str
    buffer: Name
    buffer_path: RelativePath
    proof: ArchiveProof

    def identity(self) -> tuple[object, ...]:
        return (self.package.package_id, self.location)

    def about(self) -> UUID:
        return self.package.package_id


class PackageStaged(Event):
    """A package's payload (or the part that was asked for) is unpacked and verified at a PROCESSING location.

    Attributes:
        folder: Relative to the location's root; the payload keeps its own paths below it.
    """

    entity = "package"
    fact = "staged"

    job_id: UUID
    package_id: UUID
    location: Name
    folder: RelativePath
    file_count: int = Field(ge=0)
    payload_bytes: ByteCount

    def identity(self) -> tuple[object, ...]:
        return (self.job_id, self.package_id, self.location)

    def about(self) -> UUID:
        return self.package_id


def package_id(executed_obs_unit_id: UUID, module: str, number: int) -> UUID:
    """The id of the `number`-th plan of one unit and module."""
    return derived_id("raw_data_package", executed_obs_unit_id, module, number)
