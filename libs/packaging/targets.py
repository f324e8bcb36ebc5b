"""Writing to the disk so that it stays."""

import ctypes
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from libs.bus.pulse import FLUSH_S, leave
from libs.errors import Retriable


@contextmanager
def locked_folder(path: Path) -> Iterator[None]:
    """Creates a folder if need be, and holds it against other runs; it is the caller's to remove.

    Raises:
        Retriable: ``package_busy`` while another run works in it.
        OSError: The storage refuses.
    """
    path.mkdir(mode=0o700, exist_ok=True)
    handle = _locked(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Makes the names in a folder survive a loss of power."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_filesystem(path: Path) -> None:
    """Brings everything written so far on a folder's file system to the disk: one wait for many files.

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
    """Writes every byte of a view, however few the system takes at once."""
    while view:
        view = view[os.write(handle, view) :]


def _locked(path: Path, flags: int) -> int:
    handle = os.open(path, flags, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _still_there(handle, path):
            return handle
    except BlockingIOError as error:
        os.close(handle)
        raise _busy(path) from error
    os.close(handle)
    raise _busy(path)


def _still_there(handle: int, path: Path) -> bool:
    # Between open and lock, the run before may have finished and taken the name away.
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except FileNotFoundError:
        return False


def _busy(path: Path) -> Retriable:
    return Retriable("package_busy", f"Another run is at work on {path}", "Wait for it to end.")
