"""What instruments really wrote: what the archive is held against, and nothing of ours may read."""

from dataclasses import dataclass, field
from uuid import UUID

from tests.simulation.storage.contents import Content


@dataclass(frozen=True)
class Version:
    """A file as it stood on the disk, whole, from some time on."""

    content: Content
    size: int
    mtime_ns: int


@dataclass
class TrueFile:
    """One file of an observation.

    Attributes:
        path: Relative to the SOURCE location.
        versions: Everything that ever stood there, partial writes included, oldest first.
        final: Whether the last version is what the instrument meant to leave there; None if it leaves nothing.
    """

    path: str
    unit: UUID
    versions: list[Version] = field(default_factory=list)
    final: Version | None = None


@dataclass
class Truth:
    """Everything that was written, filed and damaged.

    Attributes:
        files: By path.
        filed: Paths whose filing was accepted.
        finished: Observations whose end was accepted.
        damaged: Where bytes at rest were changed by a fault, location and path or key; and when, seconds.
        rotten: Locations and keys of archives where bytes were changed; another archive had them whole.
        poison: Streams and sequences of messages that nobody can read.
        jobs: Staging jobs that were asked for; true once released.
    """

    files: dict[str, TrueFile] = field(default_factory=dict)
    filed: set[str] = field(default_factory=set)
    finished: set[UUID] = field(default_factory=set)
    damaged: dict[tuple[str, str], float] = field(default_factory=dict)
    rotten: set[tuple[str, str]] = field(default_factory=set)
    poison: set[tuple[str, int]] = field(default_factory=set)
    jobs: dict[UUID, bool] = field(default_factory=dict)

    def wrote(self, path: str, content: Content, size: int, mtime_ns: int) -> bool:
        """Whether an instrument ever had this under this path."""
        file = self.files.get(path)
        return file is not None and Version(content, size, mtime_ns) in file.versions
