"""What the instruments wrote and what filing answered: the truth that everything else is compared with."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from contracts.observations import DeclaredFile


@dataclass(slots=True)
class Written:
    """A file as its instrument wrote it.

    Attributes:
        path: Relative to the instrument's folder.
        id: Of the file, as filing answered; None until then.
    """

    path: str
    size: int
    sha256: str
    mtime_ns: int
    declared: DeclaredFile
    id: UUID | None = None


@dataclass(slots=True)
class Observation:
    """An observation as its instrument knows it.

    Attributes:
        id: As filing answered its start.
        files: What was written and filed.
        finished: Whether filing answered its end.
    """

    instrument: str
    id: UUID
    files: list[Written] = field(default_factory=list)
    finished: bool = False


@dataclass(slots=True)
class Job:
    """A staging job as the scientist knows it.

    Attributes:
        units: What was asked for.
        released: Whether the gateway answered its release.
    """

    id: UUID
    units: tuple[UUID, ...]
    released: bool = False


@dataclass(slots=True)
class Ledger:
    """Everything that was written, filed and asked for since the system stands.

    Attributes:
        observations: By id.
        decoys: Files in an instrument's folder that nobody filed, by their path; never to be touched.
        damaged: Ids of files that were damaged on purpose before they could be packaged, and not mended yet.
        complaints: What an instrument or scientist saw that must not be.
        more_open: How many observations beyond its usual most an instrument may have open for the moment.
    """

    observations: dict[UUID, Observation] = field(default_factory=dict)
    decoys: dict[Path, str] = field(default_factory=dict)
    jobs: dict[UUID, Job] = field(default_factory=dict)
    damaged: set[UUID] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)
    more_open: int = 0

    @property
    def files(self) -> dict[UUID, tuple[Observation, Written]]:
        """Every file that filing accepted, by its id."""
        return {
            file.id: (observation, file)
            for observation in self.observations.values()
            for file in observation.files
            if file.id is not None
        }


def sha256_of(path: Path) -> str:
    """Of a file's bytes; blocking."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
