"""A file or folder that appears under its name only when it is whole.

Until then it is called ``.NAME.partial`` beside its place. The name is fixed, so that the leftover of a
killed run is taken over by the next one, and a lock tells a leftover from work in progress.
"""

import ctypes
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from libs.bus.pulse import FLUSH_S, leave
from libs.errors import Retriable


def partial_path(path: Path) -> Path:
    """Where something is while it is not yet whole."""
    return path.with_name(f".{path.name}.partial")


@contextmanager
def partial_file(path: Path) -> Iterator[int]:
    """An empty file to write, which becomes `path` when the block ends well, and vanishes otherwise.

    Yields:
        Its handle.

    Raises:
        Retriable: ``package_busy`` while another run writes it.
        OSError: The storage refuses.
    """
    partial = partial_path(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = _locked(partial, flags)
    try:
        try:
            os.ftruncate(handle, 0)
            yield handle
            with leave(FLUSH_S):
                os.fsync(handle)
            partial.rename(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    finally:
        os.close(handle)
    sync_folder(path.parent)


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
