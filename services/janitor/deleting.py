"""Deleting files of one location, each after a last look at it. Everything here blocks: it runs in threads."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from contracts.problems import Problem
from libs.bus import fencing
from libs.bus.pulse import beat
from libs.errors import Permanent, Retriable, UserError
from libs.storage.deletion import (
    Deleted,
    EmptiedFolders,
    delete_below,
    end_tries_below,
    give_back_below,
)
from libs.storage.paths import resolve_inside
from services.janitor import refusing
from services.janitor.facts import BufferCopy, SourceCopy
from services.janitor.looking import Stopped, inspect, never
from services.janitor.may_delete import Refusal, may_delete
from services.janitor.planning import Candidate, Refused


@dataclass(frozen=True, slots=True)
class Ground:
    """Where files are deleted.

    Attributes:
        root: The location's root.
        base: The folder below it that stays, however empty: the instrument's, or ``packages``.
        emptied: What becomes of folders between that one and the files.
    """

    root: Path
    base: str
    emptied: EmptiedFolders


@dataclass(frozen=True, slots=True)
class Cleared:
    """What became of some candidates."""

    gone: tuple[Candidate, ...]
    refused: tuple[Refused, ...]


def require_mounted(ground: Ground) -> None:
    """Make sure that an empty place is not an unmounted disk: its files would all look deleted.

    Raises:
        Retriable: ``location_missing``.
        UserError: The folder is reached through a symbolic link.
    """
    if not resolve_inside(ground.root, ground.base).is_dir():
        raise Retriable(
            "location_missing",
            f"{ground.root / ground.base} is not there",
            "Mount the location or correct its path; nothing was deleted.",
        )


def delete(ground: Ground, candidates: Sequence[Candidate], stopped: Stopped = never) -> Cleared:
    """Look at each file, ask `may_delete` again with what is seen, and delete it.

    A file that is gone already counts as deleted: an earlier run was stopped before it could say so.

    Args:
        ground: Where they are.
        candidates: SOURCE files or BUFFER packages, their worlds with `Moment.ACTING`.
        stopped: Asked between files and while one is read; what is left then is not told of.
    """
    give_back(ground, candidates)
    gone: list[Candidate] = []
    refused: list[Refused] = []
    for candidate in candidates:
        if stopped():
            break
        problem = _delete_one(ground, candidate, stopped)
        beat()
        if problem is None:
            gone.append(candidate)
        else:
            refused.append(Refused(candidate, problem))
    return Cleared(tuple(gone), tuple(refused))


def _delete_one(ground: Ground, candidate: Candidate, stopped: Stopped) -> Problem | None:
    copy = candidate.copy
    if not isinstance(copy, SourceCopy | BufferCopy):
        raise TypeError(f"{type(copy).__name__} is no single file")
    path = copy.ref.path
    # What was decided before a pause may no longer hold: a successor may have brought a new copy here since.
    fencing.check()
    if isinstance(copy, BufferCopy):
        _end_tries(ground, path)
    found = inspect(ground.root, copy, candidate.world, stopped)
    fencing.check()
    answer = may_delete(replace(copy, seen=found.seen), candidate.world)
    if isinstance(answer, Refusal):
        return answer.problem
    if found.exactly is None:
        return None  # what is gone stays gone: another file may have come since the look
    base, below = _below(ground, path)
    emptied = EmptiedFolders.KEEP if below == path else ground.emptied
    try:
        done = delete_below(base, below, emptied, exactly=found.exactly)
    except (Permanent, UserError) as error:
        return refusing.not_deletable(path, error.problem.reason)
    except OSError as error:
        return refusing.not_deletable(path, error.strerror or str(error))
    return refusing.replaced(path) if done is Deleted.REPLACED else None


def _end_tries(ground: Ground, path: str) -> None:
    """A packager or mover that was paused must not bring the package back."""
    with suppress(UserError):  # a path that leads out is refused
        end_tries_below(ground.root, path)


def _below(ground: Ground, path: str) -> tuple[Path, str]:
    """From where a path is deleted, so that the folders up to there stay, and the path from there on."""
    below = path.removeprefix(ground.base + "/")
    return (ground.root, path) if below == path else (resolve_inside(ground.root, ground.base), below)


def give_back(ground: Ground, candidates: Sequence[Candidate]) -> None:
    """What a killed deletion has taken aside gets its name back: it is no more gone than everything else."""
    paths = (one.copy.ref.path for one in candidates if isinstance(one.copy, SourceCopy | BufferCopy))
    for folder in sorted({path.rpartition("/")[0] for path in paths}):
        with suppress(UserError):  # a path that leads out is refused when its turn comes
            give_back_below(ground.root, folder)
