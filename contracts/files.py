"""What the scanner and the packager found on an instrument's disk."""

from uuid import UUID

from pydantic import Field

from contracts.base import ByteCount, Message, Name, Parted, RelativePath, Sha256, Utc
from contracts.problems import Problem


class ScannedFile(Message):
    """A file that is there, complete and quiet.

    Attributes:
        size: Bytes when scanned.
        mtime_ns: Modification time when scanned, nanoseconds since 1970.
    """

    file_id: UUID
    path: RelativePath
    module: Name
    size: ByteCount
    mtime_ns: int


class FilesScanned(Parted):
    """Files of one observation are ready to be packaged.

    Attributes:
        after: The FilesFiled or FilesRefused that made the scanner look at them again; None the first time.
            Without it an unchanged file that was refused could never be announced again.
    """

    entity = "files"
    fact = "scanned"

    executed_obs_unit_id: UUID
    instrument: Name
    location: Name
    files: tuple[ScannedFile, ...]
    after: UUID | None = None

    def identity(self) -> tuple[object, ...]:
        again = () if self.after is None else (self.after,)
        scanned = (f"{f.file_id}:{f.size}:{f.mtime_ns}" for f in self.files)
        return (self.executed_obs_unit_id, *again, *scanned)

    def about(self) -> UUID:
        return self.executed_obs_unit_id


class ProblemFile(Message):
    """A filed file, and what is wrong with it."""

    file_id: UUID
    path: RelativePath
    problem: Problem


class FilesMissing(Parted):
    """Filed files that did not appear, or not whole, within the time allowed. They are looked for all the same.

    Attributes:
        after: As in FilesScanned.
    """

    entity = "files"
    fact = "missing"

    executed_obs_unit_id: UUID
    instrument: Name
    location: Name
    files: tuple[ProblemFile, ...]
    after: UUID | None = None

    def identity(self) -> tuple[object, ...]:
        again = () if self.after is None else (self.after,)
        return (self.executed_obs_unit_id, *again, *(f"{f.file_id}:{f.problem.code}" for f in self.files))

    def about(self) -> UUID:
        return self.executed_obs_unit_id


CAME_BACK = "came_back"
"""The code of an unfiled file where one was filed, archived and deleted before."""


class UnfiledFile(Message):
    """A file nobody filed, or an entry that cannot be filed (`problem` says why)."""

    path: RelativePath
    size: ByteCount
    mtime_ns: int
    problem: Problem | None = None


class FilesUnfiled(Parted):
    """Files on a SOURCE location that belong to no observation."""

    entity = "files"
    fact = "unfiled"

    location: Name
    instrument: Name | None = None
    files: tuple[UnfiledFile, ...]

    def identity(self) -> tuple[object, ...]:
        return (self.location, *(f"{f.path}:{f.size}:{f.mtime_ns}" for f in self.files))

    def about(self) -> str:
        return self.location


class FilesRefused(Parted):
    """The packager found these files other than they were scanned or declared.

    Codes: ``file_changed``, ``file_vanished``, ``file_unreadable``, ``not_a_regular_file`` (the scanner looks
    again) and ``checksum_mismatch`` (a person decides).
    """

    entity = "files"
    fact = "refused"

    executed_obs_unit_id: UUID
    instrument: Name
    location: Name
    package_id: UUID
    files: tuple[ProblemFile, ...]

    def identity(self) -> tuple[object, ...]:
        return (self.package_id, *(f"{f.file_id}:{f.problem.code}" for f in self.files))

    def about(self) -> UUID:
        return self.executed_obs_unit_id


class FilesAssigned(Parted):
    """These files will travel in that package; published before its PackagePlanned."""

    entity = "files"
    fact = "assigned"

    package_id: UUID
    executed_obs_unit_id: UUID
    file_ids: tuple[UUID, ...] = Field(min_length=1)

    def identity(self) -> tuple[object, ...]:
        return (self.package_id, self.part)

    def about(self) -> UUID:
        return self.package_id


class PackagedFile(Message):
    """A file inside a sealed package.

    Attributes:
        offset: Where its first byte stands in the tar, for reading it alone.
    """

    file_id: UUID
    sha256: Sha256
    offset: ByteCount


class FilesPackaged(Parted):
    """Checksums and offsets of a package's files; published before its PackageSealed."""

    entity = "files"
    fact = "packaged"

    package_id: UUID
    executed_obs_unit_id: UUID
    files: tuple[PackagedFile, ...]

    def identity(self) -> tuple[object, ...]:
        return (self.package_id, self.part)

    def about(self) -> UUID:
        return self.package_id


class RenderedAsset(Message):
    """The pictures of one file; paths are relative to the site's preview folder."""

    file_id: UUID
    thumbnail: RelativePath
    preview: RelativePath
    etag: Sha256
    width: int = Field(gt=0)
    height: int = Field(gt=0)


class AssetRendered(Parted):
    """Thumbnails and previews are there for these files."""

    entity = "asset"
    fact = "rendered"

    executed_obs_unit_id: UUID
    assets: tuple[RenderedAsset, ...]

    def identity(self) -> tuple[object, ...]:
        return (self.executed_obs_unit_id, *(f"{a.file_id}:{a.etag}" for a in self.assets))

    def about(self) -> UUID:
        return self.executed_obs_unit_id


class RenderFailed(Parted):
    """These files have no preview, each with its reason.

    Codes ``renderer_crashed`` and ``renderer_timeout`` are faults; all others say that there is nothing to show.
    """

    entity = "asset"
    fact = "render_failed"

    executed_obs_unit_id: UUID
    files: tuple[ProblemFile, ...]

    def identity(self) -> tuple[object, ...]:
        return (self.executed_obs_unit_id, *(f"{f.file_id}:{f.problem.code}" for f in self.files))

    def about(self) -> UUID:
        return self.executed_obs_unit_id


class ResultsFiled(Parted):
    """Results of processing were handed back by a staging job, to be archived."""

    entity = "results"
    fact = "filed"

    job_id: UUID
    location: Name
    filed_at: Utc
    files: tuple[UnfiledFile, ...]

    def identity(self) -> tuple[object, ...]:
        return (self.job_id, *(f"{f.path}:{f.size}:{f.mtime_ns}" for f in self.files))

    def about(self) -> UUID:
        return self.job_id
