"""Does what was staged still stand as the instrument wrote it? Everything here blocks: it runs in a thread."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from libs.bus.pulse import beat
from libs.packaging.faults import storage_errors
from libs.packaging.folders import Root, is_no_entry, is_wrong_kind
from libs.storage.base import ByteProgress, unheard
from libs.storage.exactly import FileFacts

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class PlacedFile:
    """A file as it must stand in a job's folder.

    Attributes:
        path: Relative to the folder, as the instrument wrote it.
        size: Bytes.
        mtime_ns: Modification time, nanoseconds since 1970-01-01 UTC.
        sha256: Of its content, as the packager computed it at the first read.
    """

    path: str
    size: int
    mtime_ns: int
    sha256: str


class Standing(StrEnum):
    """What stands where a file was staged."""

    WHOLE = "whole"
    """The file, byte for byte."""
    DAMAGED = "damaged"
    """Other bytes, with the size and the time of the file: no program did that on purpose."""
    CHANGED = "changed"
    """Another size or time, or no file at all: somebody worked on it."""
    MISSING = "missing"
    """Nothing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading a staged file found.

    Attributes:
        facts: Of the file that was read; None if none was.
    """

    file: PlacedFile
    standing: Standing
    facts: FileFacts | None = None


def read_staged(
    folder: Path, files: Iterable[PlacedFile], progress: ByteProgress = unheard
) -> Iterator[Reading]:
    """Read each file from the disk, not from the memory that has just been written to it; follows no link.

    Args:
        folder: The job's folder.
        files: What must stand there.
        progress: Hears each block; what it raises ends the reading.

    Raises:
        Retriable: ``storage_unavailable``, ``out_of_handles``: the disk cannot be read now, which says nothing of it.
    """
    buffer = memoryview(bytearray(_BLOCK))
    with storage_errors(folder), Root(folder) if folder.is_dir() else nullcontext() as root:
        for file in files:
            beat()
            yield Reading(file, Standing.MISSING) if root is None else _read(root, file, buffer, progress)


def _read(root: Root, file: PlacedFile, buffer: memoryview, progress: ByteProgress) -> Reading:
    try:
        parent, name = root.parent_of(file.path)
        handle = os.open(name, _FLAGS, dir_fd=parent)
    except OSError as error:
        if is_no_entry(error):
            return Reading(file, Standing.MISSING)
        if is_wrong_kind(error):
            return Reading(file, Standing.CHANGED)
        raise
    try:
        return _judge(handle, file, buffer, progress)
    finally:
        os.close(handle)


def _judge(handle: int, file: PlacedFile, buffer: memoryview, progress: ByteProgress) -> Reading:
    before = os.fstat(handle)
    if not stat.S_ISREG(before.st_mode) or (before.st_size, before.st_mtime_ns) != (file.size, file.mtime_ns):
        return Reading(file, Standing.CHANGED)
    digest = _digest(handle, buffer, progress)
    facts = FileFacts.of(os.fstat(handle))
    if facts != FileFacts.of(before):
        return Reading(file, Standing.CHANGED)
    return Reading(file, Standing.WHOLE if digest == file.sha256 else Standing.DAMAGED, facts)


def _digest(handle: int, buffer: memoryview, progress: ByteProgress) -> str:
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    sha = hashlib.sha256()
    while count := os.readv(handle, [buffer]):
        sha.update(buffer[:count])
        beat()
        progress(count)
    return sha.hexdigest()
