"""Deleting files of one location, each after a last look at it. Everything here blocks: it runs in threads."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from contracts.problems import Problem
from libs.bus.pulse import beat
from libs.errors import Permanent, Retriable, UserError
from libs.storage.deletion import EmptiedFolders, delete_below
from libs.storage.paths import resolve_inside
from services.janitor import refusing
from services.janitor.facts import BufferCopy, OnDisk, Seen, Sight, SourceCopy
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


def delete(ground: Ground, candidates: Sequence[Candidate]) -> Cleared:
    """Look at each file, ask `may_delete` again with what is seen, and delete it.

    A file that is gone already counts as deleted: an earlier run was stopped before it could say so.

    Args:
        ground: Where they are.
        candidates: SOURCE files or BUFFER packages, their worlds with `Moment.ACTING`.
    """
    gone: list[Candidate] = []
    refused: list[Refused] = []
    for candidate in candidates:
        problem = _delete_one(ground, candidate)
        beat()
        if problem is None:
            gone.append(candidate)
        else:
            refused.append(Refused(candidate, problem))
    return Cleared(tuple(gone), tuple(refused))


def _delete_one(ground: Ground, candidate: Candidate) -> Problem | None:
    copy = candidate.copy
    if not isinstance(copy, SourceCopy | BufferCopy):
        raise TypeError(f"{type(copy).__name__} is no single file")
    path = copy.ref.path
    answer = may_delete(replace(copy, seen=look(ground.root, path)), candidate.world)
    if isinstance(answer, Refusal):
        return answer.problem
    below = path.removeprefix(ground.base + "/")
    try:
        if below == path:
            delete_below(ground.root, path, EmptiedFolders.KEEP)
        else:
            delete_below(resolve_inside(ground.root, ground.base), below, ground.emptied)
    except (Permanent, UserError) as error:
        return refusing.not_deletable(path, error.problem.reason)
    except OSError as error:
        return refusing.not_deletable(path, error.strerror or str(error))
    return None


def look(root: Path, relative: str) -> Seen:
    """What is at a place now, without following any link."""
    try:
        facts = os.lstat(resolve_inside(root, relative))
    except (FileNotFoundError, NotADirectoryError):
        return Sight.GONE
    except UserError:
        return Sight.NOT_REGULAR
    if not stat.S_ISREG(facts.st_mode):
        return Sight.NOT_REGULAR
    return OnDisk(facts.st_size, facts.st_mtime_ns)
