"""Is an arrived package what was sent? Everything here blocks: it runs in a thread."""

import errno
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from contracts.problems import Problem
from contracts.transfers import MovedPackage
from libs.errors import Retriable
from libs.packaging import BagDamaged, BagFault, BagProblem, CancelSignal, inspect_bag
from libs.storage.paths import resolve_inside
from libs.storage.presence import require_location

MOST_PROBLEMS = 50
"""Problems told of one package: an event stays small however much is wrong."""

_REMEDY = "Nothing to do: this package alone travels again."


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
    """It is not what was sent.

    Attributes:
        problems: What is wrong.
        identity: The file that was read; None if there was none.
    """

    problems: tuple[Problem, ...]
    identity: Identity | None


Verdict = Intact | Damaged


def examine(root: Path, moved: MovedPackage, read: Callable[[int], None], stop: CancelSignal) -> Verdict:
    """Read an arrived package once.

    Args:
        root: The folder of the BUFFER.
        moved: What was moved there.
        read: Hears the bytes read so far.
        stop: Ends the reading.

    Raises:
        Retriable: ``location_missing``, ``storage_unavailable``, ``package_replaced``, or ``cancelled``.
        UserError: The path leads out of the location.
    """
    require_location(root, moved.path)
    path = resolve_inside(root, moved.path)
    before = identify(path)
    if before is None:
        return Damaged((_missing(moved),), None)
    try:
        inspect_bag(
            path,
            expected_sha256=moved.package.sha256,
            expected_size=moved.package.size,
            progress=read,
            cancelled=stop,
        )
    except BagDamaged as damage:
        return _damaged(path, before, damage)
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


def _damaged(path: Path, before: Identity, damage: BagDamaged) -> Damaged:
    unreadable = [one for one in damage.problems if one.code is BagFault.PACKAGE_UNREADABLE]
    if unreadable and _is_file(path):
        raise _unavailable(path, unreadable[0].detail) from damage
    if identify(path) != before:
        raise Retriable(
            "package_replaced", f"{path} was replaced while it was read", "It is read again by itself."
        ) from damage
    return Damaged(tuple(_told(damage.problems)), before)


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return True  # not even that can be asked: the disk is at fault, not the package


def _told(problems: tuple[BagProblem, ...]) -> list[Problem]:
    told = [
        Problem(code=one.code.value, reason=f"{one.member or 'the package'}: {one.detail}", remedy=_REMEDY)
        for one in problems[:MOST_PROBLEMS]
    ]
    if len(problems) > MOST_PROBLEMS:
        more = f"{len(problems) - MOST_PROBLEMS} more problems were found"
        told.append(Problem(code="more_problems", reason=more, remedy=_REMEDY))
    return told


def _missing(moved: MovedPackage) -> Problem:
    return Problem(code="package_missing", reason=f"{moved.path} is not there", remedy=_REMEDY)


def _unavailable(path: Path, what: str) -> Retriable:
    return Retriable(
        "storage_unavailable",
        f"{path} cannot be read: {what}",
        "Check the disk and the mount; the package is read again by itself, and no copy was condemned.",
    )
