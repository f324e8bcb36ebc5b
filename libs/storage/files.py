"""Blocking file operations that survive a crash: each either happened whole or not at all.

All of these block: call them in a worker thread.
"""

import ctypes
import errno
import hashlib
import os
import secrets
from contextlib import suppress
from io import FileIO
from pathlib import Path

from libs.bus.pulse import FLUSH_S, beat, leave
from libs.errors import ChasquiError, Permanent, Retriable
from libs.storage.base import ByteProgress, unheard

PARTIAL_SUFFIX = ".partial"
"""Ends the name of every file that is not yet whole; such names also begin with a dot."""

_HASH_BLOCK = 1 << 20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def sync_folder(folder: Path) -> None:
    """Make renames and deletions in `folder` survive a power loss."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_filesystem(path: Path) -> None:
    """Bring everything written so far on a folder's file system to the disk: one wait for many files.

    Raises:
        OSError: The disk could not take it.
    """
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with leave(FLUSH_S):
            refused = ctypes.CDLL(None, use_errno=True).syncfs(handle)
        if refused:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(handle)


def write_all(handle: int, view: memoryview) -> None:
    """Write every byte of a view, however few the system takes at once."""
    while view:
        view = view[os.write(handle, view) :]


def make_folders(folder: Path) -> None:
    """Create `folder` and its missing parents, each synced into the one above it."""
    missing = [step for step in (folder, *folder.parents) if not step.exists()]
    for step in reversed(missing):
        step.mkdir(exist_ok=True)
        sync_folder(step.parent)


def publish(temporary: Path, final: Path) -> None:
    """Sync a finished file and give it its final name, replacing what had it.

    Both names are on the same file system. Readers see the old file or the whole new one.
    """
    fd = os.open(temporary, os.O_RDONLY)
    try:
        with leave(FLUSH_S):
            os.fsync(fd)
    finally:
        os.close(fd)
    temporary.rename(final)
    sync_folder(final.parent)
    if temporary.parent != final.parent:
        sync_folder(temporary.parent)


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` under a temporary name, sync it and rename it to `path`.

    Raises:
        Retriable: `disk_full`.
    """
    make_folders(path.parent)
    temporary = path.with_name(f".{secrets.token_hex(8)}{PARTIAL_SUFFIX}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        publish(temporary, path)
    except OSError as error:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise full_or(error, path) from error


def sha256_file(path: Path, progress: ByteProgress = unheard) -> str:
    """Return the SHA-256 of a file's bytes, in lower-case hexadecimal.

    Args:
        path: The file.
        progress: Hears each block; what it raises ends the reading.

    Raises:
        Permanent: `source_missing` when there is no such file: a missing file has no checksum.
    """
    try:
        with path.open("rb", buffering=0) as file:
            return _digest(file, progress)
    except FileNotFoundError as error:
        raise source_missing(path) from error


def _digest(file: FileIO, progress: ByteProgress) -> str:
    sha = hashlib.sha256()
    buffer = bytearray(_HASH_BLOCK)
    view = memoryview(buffer)
    while count := file.readinto(buffer):
        sha.update(view[:count])
        beat()
        progress(count)
    return sha.hexdigest()


def source_missing(path: Path) -> Permanent:
    """The error of a file that was promised and is not there."""
    return Permanent(
        "source_missing",
        f"{path} is not there",
        "Find out who removed it; file it again if it exists elsewhere.",
    )


def full_or(error: OSError, path: Path) -> ChasquiError | OSError:
    """Turn an error of a full disk or quota into `disk_full`; return every other one as it is."""
    if error.errno not in _FULL:
        return error
    return Retriable(
        "disk_full",
        f"No room to write {path}: {error.strerror}",
        "Free space at this location or let the janitor run; the work goes on by itself.",
    )
