"""Filing: an instrument says that an observation began, which files are its, and that it ended."""

from enum import StrEnum
from uuid import UUID

from pydantic import Field, JsonValue

from contracts.associations import Exposure
from contracts.base import ByteCount, Event, Message, Name, Parted, RelativePath, Sha256, Utc, derived_id
from contracts.problems import Problem


class Target(Message):
    """What was observed.

    Attributes:
        name: As the observer calls it.
        ra_deg: Right ascension, ICRS, degrees, 0 to 360.
        dec_deg: Declination, ICRS, degrees, -90 to 90.
    """

    name: str = Field(min_length=1, max_length=250)
    ra_deg: float | None = Field(default=None, ge=0, lt=360)
    dec_deg: float | None = Field(default=None, ge=-90, le=90)


class Outcome(StrEnum):
    """How an observation ended."""

    COMPLETED = "completed"
    """As planned."""
    ABORTED = "aborted"
    """Early; it may have no files."""


class DeclaredFile(Message):
    """A file as its instrument declares it.

    Attributes:
        path: Relative to the instrument's folder in its SOURCE location.
        module: The InstrumentModule that wrote it; the instrument's first one if left out.
        size: Bytes, if known. The scanner waits until the file has them.
        sha256: Hex digest, if known. The packager refuses a file that differs.
    """

    path: RelativePath
    module: Name | None = None
    size: ByteCount | None = None
    sha256: Sha256 | None = None


class StartObservation(Message):
    """Request: an observation begins.

    Attributes:
        executed_obs_unit_id: The client's own id; derived from instrument, obs_unit and start_time if left out.
        instrument: As the deployment names it.
        start_time: Beginning of the observation.
        obs_unit: The planned ObsUnit it executes, if any.
        observing_program: The program it belongs to, if any.
        target: What is observed.
        obs_mode: The observing mode, in the instrument's words.
        conditions: Weather and the like, free keys.
        exposure: The exposure that it is, where exposures are made into products together.
    """

    instrument: Name
    start_time: Utc
    executed_obs_unit_id: UUID | None = None
    obs_unit: str | None = Field(default=None, max_length=250)
    observing_program: str | None = Field(default=None, max_length=250)
    target: Target | None = None
    obs_mode: str | None = Field(default=None, max_length=250)
    conditions: dict[str, JsonValue] = Field(default_factory=dict)
    exposure: Exposure | None = None

    def unit_id(self) -> UUID:
        """The client's id, or the one derived from instrument, obs_unit and start."""
        if self.executed_obs_unit_id is not None:
            return self.executed_obs_unit_id
        return derived_id("executed_obs_unit", self.instrument, self.obs_unit, self.start_time)


class FileFiles(Message):
    """Request: these files belong to that observation."""

    executed_obs_unit_id: UUID
    files: tuple[DeclaredFile, ...] = Field(min_length=1, max_length=10_000)


class FinishObservation(Message):
    """Request: the observation ended; no more files will be filed."""

    executed_obs_unit_id: UUID
    end_time: Utc
    outcome: Outcome = Outcome.COMPLETED
    quality: str | None = Field(default=None, max_length=250)


class FilingAccepted(Message):
    """Answer: it is in the log.

    Attributes:
        repeated: The same registration was accepted before; nothing was added.
        file_ids: In the order of the request's files.
    """

    accepted: bool = True
    executed_obs_unit_id: UUID
    repeated: bool = False
    file_ids: tuple[UUID, ...] = ()


class FilingRefused(Message):
    """Answer: nothing was recorded, for this reason."""

    accepted: bool = False
    problem: Problem
    details: tuple[Problem, ...] = ()


class ObservationStarted(Event):
    """An instrument began an observation."""

    entity = "observation"
    fact = "started"

    executed_obs_unit_id: UUID
    instrument: Name
    start_time: Utc
    obs_unit: str | None = None
    observing_program: str | None = None
    target: Target | None = None
    obs_mode: str | None = None
    conditions: dict[str, JsonValue] = Field(default_factory=dict)

    def identity(self) -> tuple[object, ...]:
        return (self.executed_obs_unit_id,)

    def about(self) -> UUID:
        return self.executed_obs_unit_id


class FiledFile(Message):
    """A file that was accepted into an observation; `path` is relative to the SOURCE location's root."""

    file_id: UUID
    path: RelativePath
    module: Name
    size: ByteCount | None = None
    sha256: Sha256 | None = None


class FilesFiled(Parted):
    """Files were registered as an observation's.

    Attributes:
        after: The FilesFiled or FilesRefused of this observation that came before, where a declaration is
            corrected or repeated for a refused file; None for files that are new. Without it a declaration
            could never return to what it once was.
    """

    entity = "observation"
    fact = "files_filed"

    executed_obs_unit_id: UUID
    instrument: Name
    location: Name
    files: tuple[FiledFile, ...]
    after: UUID | None = None

    def identity(self) -> tuple[object, ...]:
        again = () if self.after is None else (self.after,)
        declared = (f"{f.file_id}:{f.size}:{f.sha256}" for f in self.files)
        return (self.executed_obs_unit_id, *again, *declared)

    def about(self) -> UUID:
        return self.executed_obs_unit_id


class ObservationFinished(Event):
    """The list of an observation's files is closed."""

    entity = "observation"
    fact = "finished"

    executed_obs_unit_id: UUID
    instrument: Name
    end_time: Utc
    outcome: Outcome
    file_count: int = Field(ge=0)
    quality: str | None = None

    def identity(self) -> tuple[object, ...]:
        return (self.executed_obs_unit_id,)

    def about(self) -> UUID:
        return self.executed_obs_unit_id


def file_id(executed_obs_unit_id: UUID, path: str) -> UUID:
    """The id of the RawDataFile at `path` (relative to the SOURCE root) of one observation."""
    return derived_id("raw_data_file", executed_obs_unit_id, path)
