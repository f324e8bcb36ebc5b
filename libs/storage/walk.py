"""A tree of files, looked through without following, opening or failing on anything odd in it."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from libs.errors import Retriable

_KINDS = (
    (stat.S_ISLNK, "symlink", "a symbolic link is not followed"),
    (stat.S_ISSOCK, "socket", "a socket has no bytes to keep"),
    (stat.S_ISFIFO, "fifo", "a named pipe has no bytes to keep"),
    (stat.S_ISBLK, "device", "a block device is not a file of the instrument"),
    (stat.S_ISCHR, "device", "a character device is not a file of the instrument"),
)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file: its POSIX name below the root, bytes, and time of the last change in ns since 1970."""

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Oddity:
    r"""An entry that is no readable regular file.

    Attributes:
        path: Its name below the root; bytes that are no UTF-8 are written as ``\\xNN``.
        code: `symlink`, `socket`, `fifo`, `device`, `unreadable` or `name_not_utf8`.
        reason: In words.
    """

    path: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class WalkBatch:
    """Some of what a walk found, in no order."""

    files: tuple[FoundFile, ...]
    oddities: tuple[Oddity, ...]


def scan_tree(root: Path, batch_size: int) -> Iterator[WalkBatch]:
    """Walk below `root` and yield batches of at most `batch_size` entries; blocking.

    Entries that vanish meanwhile are left out. Memory holds one batch and the folders still to visit.

    Raises:
        Retriable: `location_missing` when the root is not there: an unmounted disk is not an empty one.
    """
    if not root.is_dir():
        raise Retriable("location_missing", f"{root} is no folder", "Mount the location or correct its path.")
    files: list[FoundFile] = []
    oddities: list[Oddity] = []
    for entry in _entries(str(root)):
        if isinstance(entry, Oddity):
            oddities.append(entry)
        else:
            files.append(entry)
        if len(files) + len(oddities) >= batch_size:
            yield WalkBatch(tuple(files), tuple(oddities))
            files, oddities = [], []
    if files or oddities:
        yield WalkBatch(tuple(files), tuple(oddities))


def _entries(root: str) -> Iterator[FoundFile | Oddity]:
    pending = [""]
    while pending:
        below = pending.pop()
        try:
            with os.scandir(os.path.join(root, below)) as found:  # noqa: PTH118 - a Path per entry doubles the walk's time
                for entry in found:
                    yield from _look(entry, below + entry.name, pending)
        except FileNotFoundError:
            continue
        except PermissionError:
            yield Oddity(below.rstrip("/") or ".", "unreadable", "the folder may not be listed by this user")


def _look(entry: os.DirEntry[str], path: str, pending: list[str]) -> Iterator[FoundFile | Oddity]:
    if (odd_name := _shown(path)) is not None:
        yield Oddity(odd_name, "name_not_utf8", "the name is not valid UTF-8 and cannot travel in a message")
        return
    try:
        facts = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(facts.st_mode):
        pending.append(path + "/")
    else:
        yield _classify(entry.path, path, facts)


def _classify(full: str, path: str, facts: os.stat_result) -> FoundFile | Oddity:
    for is_kind, code, reason in _KINDS:
        if is_kind(facts.st_mode):
            return Oddity(path, code, reason)
    if not os.access(full, os.R_OK, effective_ids=True):
        return Oddity(path, "unreadable", "the file may not be read by this user")
    return FoundFile(path, facts.st_size, facts.st_mtime_ns)


def _shown(path: str) -> str | None:
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path).decode("utf-8", "backslashreplace")
    return None
