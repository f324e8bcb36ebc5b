"""Which files go into a package now: pure decisions on what ops-db knows of one observation."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from contracts.packages import package_id
from contracts.states import ObservationState
from libs.packaging import Envelope, PayloadFile, split

OVERHEAD_BYTES = 4096
"""More than a file with a path of usual length takes in a tar beside its own bytes."""


class Phase(Enum):
    """What may still come of an observation's module."""

    OPEN = "open"
    """More files: only full packages are planned, so that a long observation travels while it goes on."""
    CLOSED = "closed"
    """Nothing that anybody waits for: whatever is left is planned."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much goes into one package at most: bytes of the tar, and files."""

    max_bytes: int
    max_files: int


@dataclass(frozen=True, slots=True)
class ModuleFiles:
    """The files of one module of an observation, counted.

    Attributes:
        module: The InstrumentModule.
        location: The SOURCE location they are in.
        free_files: Scanned, and in no package yet; `free_bytes` is the sum of their sizes.
        awaited: Filed, and neither found nor reported missing yet.
        unannounced: Packages that files were assigned to, but that were not announced as planned.
    """

    module: str
    location: str
    free_files: int
    free_bytes: int
    awaited: int
    unannounced: tuple[UUID, ...] = ()


def phase(state: ObservationState | None, awaited: int) -> Phase:
    """Missing, refused and changed files hold nothing up; they travel later, in packages of their own.

    Args:
        state: Of the observation; None before it is known to have begun.
        awaited: Files of the module that the scanner has yet to speak of.
    """
    over = state in {ObservationState.FINISHED, ObservationState.ABORTED}
    return Phase.CLOSED if over and not awaited else Phase.OPEN


def worth_reading(files: ModuleFiles, now: Phase, limits: Limits) -> bool:
    """Whether the list of free files can give a package: asked before it is read."""
    if now is Phase.CLOSED:
        return files.free_files > 0
    largest = files.free_bytes + files.free_files * OVERHEAD_BYTES
    return files.free_files >= limits.max_files or largest >= limits.max_bytes


def choose(
    files: Sequence[PayloadFile], now: Phase, limits: Limits, envelope: Envelope
) -> list[tuple[PayloadFile, ...]]:
    """The packages to plan now, in the order of their files' paths.

    Args:
        files: Free files of one module.
        now: Whether a package that is not full may go.
        limits: Of one package.
        envelope: Room for the bag's name and bag-info.
    """
    packages = split(files, max_bytes=limits.max_bytes, max_files=limits.max_files, envelope=envelope)
    if now is Phase.OPEN and packages and not _is_full(packages[-1], limits):
        packages.pop()
    return packages


def _is_full(package: Sequence[PayloadFile], limits: Limits) -> bool:
    payload = sum(file.size for file in package)
    return len(package) >= limits.max_files or payload >= limits.max_bytes


def number_of(wanted: UUID, unit: UUID, module: str, highest: int) -> int | None:
    """The number of a package whose id is all that is known; None if it is none of the next few."""
    near = range(1, highest + 3)
    return next((number for number in near if package_id(unit, module, number) == wanted), None)
