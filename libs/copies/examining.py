"""Is a package on disk what was sealed? Everything here blocks: it runs in a thread."""

import errno
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.packages import PackageRecord
from contracts.problems import Problem
from libs.errors import Retriable
from libs.packaging import BagDamaged, BagFault, BagProblem, CancelSignal, inspect_bag
from libs.storage.paths import resolve_inside
from libs.storage.presence import require_location

MOST_PROBLEMS = 50
"""Problems told of one package: an event stays small however much is wrong."""

SHOWN = 3
"""Problems of which a summary gives the reasons."""

MISSING = "package_missing"
"""The code of a package that is not there."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which file stands under a name: another one, or the same one after a write, differs."""

    device: int
    inode: int
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Intact:
    """Package and files match their checksums."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """It is not what was sealed.

    Attributes:
        problems: What is wrong.
        identity: The file that was read; None if there was none.
    """

    problems: tuple[Problem, ...]
    identity: Identity | None


Verdict = Intact | Damaged


def examine(
    root: Path,
    relative: str,
    package: PackageRecord,
    *,
    read: Callable[[int], None],
    stop: CancelSignal,
    remedy: str,
) -> Verdict:
    """Read a package once: all of it, and every file in it.

    Args:
        root: The folder of the BUFFER.
        relative: The package's path below it.
        package: As it was sealed.
        read: Hears the bytes read so far.
        stop: Ends the reading.
        remedy: Of every problem that is found: what the reader can do, or what is done by itself.

    Raises:
        Retriable: ``location_missing``, ``storage_unavailable``, ``package_replaced``, or ``cancelled``.
        UserError: The path leads out of the location.
    """
    require_location(root, relative)
    path = resolve_inside(root, relative)
    before = identify(path)
    if before is None:
        return Damaged((_missing(relative, remedy),), None)
    try:
        inspect_bag(
            path,
            expected_sha256=package.sha256,
            expected_size=package.size,
            progress=read,
            cancelled=stop,
        )
    except BagDamaged as damage:
        return _damaged(path, before, damage, remedy)
    return Intact()


def identify(path: Path) -> Identity | None:
    """Which file has a name; None if nothing has it.

    Raises:
        Retriable: ``storage_unavailable``.
    """
    try:
        found = path.lstat()
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            return None
        raise _unavailable(path, str(error)) from error
    return Identity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _damaged(path: Path, before: Identity, damage: BagDamaged, remedy: str) -> Damaged:
    unreadable = [one for one in damage.problems if one.code is BagFault.PACKAGE_UNREADABLE]
    if unreadable and _is_file(path):
        raise _unavailable(path, unreadable[0].detail) from damage
    if identify(path) != before:
        raise Retriable(
            "package_replaced", f"{path} was replaced while it was read", "It is read again by itself."
        ) from damage
    return Damaged(tuple(told(damage.problems, remedy)), before)


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return True  # not even that can be asked: the disk is at fault, not the package


def told(problems: tuple[BagProblem, ...], remedy: str) -> list[Problem]:
    """What is wrong with a package, as far as one event has room for it."""
    found = [
        Problem(code=one.code.value, reason=f"{one.member or 'the package'}: {one.detail}", remedy=remedy)
        for one in problems[:MOST_PROBLEMS]
    ]
    if len(problems) > MOST_PROBLEMS:
        more = f"{len(problems) - MOST_PROBLEMS} more problems were found"
        found.append(Problem(code="more_problems", reason=more, remedy=remedy))
    return found


def summed(problems: Sequence[Problem]) -> Problem:
    """Several problems of one package as one: the first one's code, a few reasons, and how many more there are."""
    first = problems[0]
    reasons = "; ".join(problem.reason for problem in problems[:SHOWN])
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return Problem(code=first.code, reason=f"{reasons}{more}", remedy=first.remedy)


def _missing(relative: str, remedy: str) -> Problem:
    return Problem(code=MISSING, reason=f"{relative} is not there", remedy=remedy)


def _unavailable(path: Path, what: str) -> Retriable:
    return Retriable(
        "storage_unavailable",
        f"{path} cannot be read: {what}",
        "Check the disk and the mount; the package is read again by itself, and no copy was condemned.",
    )
