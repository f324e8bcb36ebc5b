"""What decisions about tasks, assets and cameras rest on: frozen facts, wherever they come from."""

from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from contracts.problems import Problem
from contracts.skynet.assets import AssetEvent, ObservationAsset
from contracts.skynet.cameras import CameraRegistered
from contracts.skynet.tasks import TaskEvent

E = TypeVar("E", bound=TaskEvent | AssetEvent | CameraRegistered)


@dataclass(frozen=True, slots=True)
class Known(Generic[E]):
    """A task, asset or camera.

    Attributes:
        last: What was said of it last.
        site: Where it is told; its turns are counted there.
    """

    last: E
    site: str


@dataclass(frozen=True, slots=True)
class TaskWorld:
    """What a request about a task rests on.

    Attributes:
        site: Where it is asked.
        known: The task; None if there is none of this uid.
        said_before: This very request was accepted before.
        number_of: Another task that has its number.
    """

    site: str
    known: Known[TaskEvent] | None = None
    said_before: bool = False
    number_of: UUID | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """What was declared of a file's bytes; None where nothing was."""

    size: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class AssetWorld:
    """What the filing of an asset rests on.

    Attributes:
        site: Where it is asked.
        known: The asset; None if there is none of this uid.
        made_by: The task that is known to have made it.
        requested: Its transfer was requested before.
        number_of: Another asset that has its number.
        root: The asset that has the number of its root.
        task: The task that the request names.
        noted: That task has been told of the asset.
        file: What is declared of its file; None if there is no such file.
    """

    site: str
    known: Known[AssetEvent] | None = None
    made_by: UUID | None = None
    requested: bool = False
    number_of: UUID | None = None
    root: ObservationAsset | None = None
    task: Known[TaskEvent] | None = None
    noted: bool = False
    file: Declared | None = None


@dataclass(frozen=True, slots=True)
class CameraWorld:
    """What the filing of a camera rests on.

    Attributes:
        known: What was registered of it last.
        said_before: This very request was accepted before.
        number_of: Another device that has its number.
    """

    known: CameraRegistered | None = None
    said_before: bool = False
    number_of: UUID | None = None


def elsewhere(what: str, uid: UUID, site: str, asked: str) -> Problem:
    """The problem of a task or asset of another site.

    Args:
        what: ``task`` or ``asset``.
        uid: Its uid.
        site: Where it is told.
        asked: Where it was asked for.
    """
    return Problem(
        code=f"{what}_elsewhere",
        reason=f"{what} {uid} is filed at {site}, and this is the filing service of {asked}",
        remedy=f"Send it to the filing service of {site}.",
    )


def number_taken(what: str, number: int, by: UUID) -> Problem:
    """The problem of a number that another one has."""
    return Problem(
        code="number_taken",
        reason=f"{what} number {number} is {by} already",
        remedy="Send the id that the network gave it, with the uid that belongs to it.",
    )
