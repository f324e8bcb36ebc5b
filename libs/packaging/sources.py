"""Opening and reading the instrument's files: what was planned, or the reason why not."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from libs.bus.pulse import beat
from libs.packaging.faults import BadFile, FileFault
from libs.packaging.folders import Root, is_no_entry, is_wrong_kind
from libs.packaging.payload import PayloadFile

# O_NONBLOCK keeps a pipe from blocking the pass until somebody writes to it; regular files ignore it.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_NOT_THE_FILES_FAULT = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_READ_AHEAD_FROM = 1024 * 1024


class BadFileError(Exception):
    """A source file that cannot be packed; carries the finding.

    Args:
        bad: The finding.
    """

    def __init__(self, bad: BadFile) -> None:
        super().__init__(bad.path)
        self.bad = bad


@contextmanager
def opened(root: Root, file: PayloadFile) -> Iterator[int]:
    """Opens a source file, and compares it with the plan before and after its bytes are read.

    Yields:
        The file's handle, at its first byte.

    Raises:
        BadFileError: It is not the file that was planned.
        OSError: The system is out of handles or memory, which says nothing about the file.
    """
    with _judged(file):
        folder, name = root.parent_of(file.path)
        handle = os.open(name, _FLAGS, dir_fd=folder)
    try:
        with _judged(file):
            _compare(file, os.fstat(handle))
            if file.size >= _READ_AHEAD_FROM:
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        yield handle
        with _judged(file):
            _compare(file, os.fstat(handle))
    finally:
        os.close(handle)


def read_into(handle: int, file: PayloadFile, room: memoryview, position: int) -> int:
    """Reads the file's next bytes.

    Returns:
        How many bytes were read, at least one.

    Raises:
        BadFileError: The file ends early, or cannot be read.
    """
    with _judged(file):
        count = os.readv(handle, [room])
    beat()
    if count == 0:
        raise BadFileError(
            BadFile(file.path, FileFault.FILE_CHANGED, f"ends after {position} of {file.size} bytes")
        )
    return count


def checked(file: PayloadFile, expected: str | None, found: str) -> BadFile | None:
    """Compares a file's sha256 with the one declared, if any."""
    if expected is None or expected.lower() == found:
        return None
    return BadFile(file.path, FileFault.CHECKSUM_MISMATCH, f"sha256 {found}, declared {expected}")


def examine(root: Root, file: PayloadFile, expected: str | None, buffer: memoryview) -> BadFile | None:
    """Looks at a file without packing it; reads it only if a checksum was declared.

    Args:
        root: The source root.
        file: The plan.
        expected: Declared sha256.
        buffer: Scratch space.

    Raises:
        OSError: As `opened`.
    """
    digest = hashlib.sha256()
    try:
        with opened(root, file) as handle:
            left = file.size if expected is not None else 0
            while left:
                count = read_into(handle, file, buffer[: min(left, len(buffer))], file.size - left)
                digest.update(buffer[:count])
                left -= count
    except BadFileError as error:
        return error.bad
    return checked(file, expected, digest.hexdigest())


def _compare(file: PayloadFile, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise BadFileError(BadFile(file.path, FileFault.NOT_A_REGULAR_FILE, stat.filemode(status.st_mode)))
    if (status.st_size, status.st_mtime_ns) != (file.size, file.mtime_ns):
        raise BadFileError(
            BadFile(
                file.path,
                FileFault.FILE_CHANGED,
                f"{status.st_size} bytes of {status.st_mtime_ns} ns, "
                f"planned {file.size} bytes of {file.mtime_ns} ns",
            )
        )


@contextmanager
def _judged(file: PayloadFile) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NOT_THE_FILES_FAULT:
            raise
        raise BadFileError(BadFile(file.path, _fault(error), error.strerror or str(error))) from error


def _fault(error: OSError) -> FileFault:
    if is_no_entry(error):
        return FileFault.FILE_VANISHED
    return FileFault.NOT_A_REGULAR_FILE if is_wrong_kind(error) else FileFault.FILE_UNREADABLE
