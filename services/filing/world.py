"""What a decision rests on: frozen facts, wherever they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from contracts.observations import ObservationFinished, ObservationStarted
from contracts.states import FileState


@dataclass(frozen=True, slots=True)
class KnownUnit:
    """An observation that was started.

    Attributes:
        started: How it began.
        finished: How it ended; None while it runs.
    """

    started: ObservationStarted
    finished: ObservationFinished | None = None


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file that was filed in the observation at hand."""

    module: str
    size: int | None
    sha256: str | None
    state: FileState


@dataclass(frozen=True, slots=True)
class FilesWorld:
    """What is known about the files of a request; paths are relative to the SOURCE location's root.

    Attributes:
        unit: The observation; None if nobody started it.
        mine: By path, those that this observation has.
        elsewhere: By path, another observation that has the file at this path, and its copy is still there.
        last: The id of the observation's latest FilesFiled or FilesRefused.
    """

    unit: KnownUnit | None
    mine: Mapping[str, KnownFile] = field(default_factory=dict)
    elsewhere: Mapping[str, UUID] = field(default_factory=dict)
    last: UUID | None = None


@dataclass(frozen=True, slots=True)
class FinishWorld:
    """What is known about an observation that is to end: itself, and how many files it has."""

    unit: KnownUnit | None
    file_count: int = 0
