"""Looking at a file before it goes, and reading it where that is wanted. Everything here blocks: it runs in threads."""

import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from libs.bus.pulse import beat
from libs.errors import UserError
from libs.storage.exactly import FileFacts
from libs.storage.paths import resolve_inside
from services.janitor.facts import BufferCopy, OnDisk, Seen, Sight, SourceCopy, World
from services.janitor.may_delete import to_be_read

BLOCK = 4 << 20

Stopped = Callable[[], bool]
"""Whether reading is to end soon: what was not read to its end has no checksum, and stays."""


def never() -> bool:
    """Read to the end."""
    return False


@dataclass(frozen=True, slots=True)
class Glance:
    """What one look at a place found.

    Attributes:
        seen: For `may_delete`.
        exactly: Which file it was; None if there was no regular one.
    """

    seen: Seen
    exactly: FileFacts | None = None


def inspect(root: Path, copy: SourceCopy | BufferCopy, world: World, stopped: Stopped = never) -> Glance:
    """Look at a copy, and read it if `may_delete` will want to know its content."""
    found = look(root, copy.ref.path)
    if isinstance(found.seen, OnDisk) and to_be_read(copy, world, found.seen):
        return read(root, copy.ref.path, found, stopped)
    return found


def look(root: Path, relative: str) -> Glance:
    """What is at a place now, without following any link."""
    try:
        facts = os.lstat(resolve_inside(root, relative))
    except (FileNotFoundError, NotADirectoryError):
        return Glance(Sight.GONE)
    except UserError:
        return Glance(Sight.NOT_REGULAR)
    return _glance(facts)


def read(root: Path, relative: str, found: Glance, stopped: Stopped = never) -> Glance:
    """What is at a place now, with the checksum of its content.

    Args:
        root: The location's root.
        relative: The file, below it.
        found: What was seen there just before.
        stopped: Asked between blocks.

    Returns:
        Without a checksum if the file changed while it was read, could not be read, or reading was stopped.
    """
    digest = None
    with suppress(OSError, UserError):
        digest = _digest(resolve_inside(root, relative), found, stopped)
    now = look(root, relative)
    if now != found or not isinstance(now.seen, OnDisk):
        return now
    return replace(now, seen=replace(now.seen, sha256=digest))


def _digest(path: Path, found: Glance, stopped: Stopped) -> str | None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb", buffering=0) as file:
        if _glance(os.fstat(handle)) != found:
            return None
        sha, buffer = hashlib.sha256(), bytearray(BLOCK)
        view = memoryview(buffer)
        while count := file.readinto(buffer):
            if stopped():
                return None
            sha.update(view[:count])
            beat()
        # The page cache is of no more use: the file is about to go.
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        return sha.hexdigest() if _glance(os.fstat(handle)) == found else None


def _glance(facts: os.stat_result) -> Glance:
    if not stat.S_ISREG(facts.st_mode):
        return Glance(Sight.NOT_REGULAR)
    return Glance(OnDisk(facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns), FileFacts.of(facts))
