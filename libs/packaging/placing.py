"""Moving verified files to where they belong, beside others, never over different ones."""

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path

from libs.bus.pulse import TURN_S, beat, leave
from libs.packaging.faults import DestinationConflict
from libs.packaging.folders import FOLDER_MODE, Missing, Root, is_no_entry, is_wrong_kind
from libs.packaging.payload import SealedFile
from libs.packaging.targets import sync_filesystem, sync_folder

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_BUFFER_BYTES = 1024 * 1024


class _Found(Enum):
    """What stands where a file belongs."""

    NOTHING = auto()
    """The place is free."""

    SAME = auto()
    """A file with the same content."""

    OTHER = auto()
    """Something else, which must stay."""


def place(tree: Path, destination: Path, files: Sequence[SealedFile]) -> tuple[list[str], list[str]]:
    """Moves files from a tree on the same file system into a destination.

    All conflicts are found before the first file moves. Several packages may be placed into one destination
    at the same time: a lock on the folder above lets them through one by one.

    Args:
        tree: Folder that holds exactly these files, verified and synced.
        destination: Folder to have them; created if need be.
        files: What to move.

    Returns:
        The paths moved, and the paths that stood there already with the same content.

    Raises:
        DestinationConflict: Other content stands there.
        OSError: The storage refuses.
    """
    with _turn(destination.parent):
        if not os.path.lexists(destination):
            tree.rename(destination)
            sync_folder(destination.parent)
            return [file.path for file in files], []
        with Root(tree) as source, Root(destination) as target:
            written, already = _merge(source, target, files)
        sync_filesystem(destination)
    return written, already


@contextmanager
def _turn(parent: Path) -> Iterator[None]:
    handle = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with leave(TURN_S):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _merge(source: Root, target: Root, files: Sequence[SealedFile]) -> tuple[list[str], list[str]]:
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    found = {file.path: _look(target, file, buffer) for file in files}
    conflicts = [path for path, what in found.items() if what is _Found.OTHER]
    if conflicts:
        raise DestinationConflict(conflicts)
    written = [path for path, what in found.items() if what is _Found.NOTHING]
    for path in written:
        _link(source, target, path)
        beat()
    return written, [path for path, what in found.items() if what is _Found.SAME]


def _link(source: Root, target: Root, path: str) -> None:
    from_folder, name = source.parent_of(path)
    to_folder, _ = target.parent_of(path, Missing.CREATE)
    try:
        # A link, unlike a rename, refuses to replace what a stranger put there since it was looked at.
        os.link(name, name, src_dir_fd=from_folder, dst_dir_fd=to_folder, follow_symlinks=False)
    except FileExistsError as error:
        raise DestinationConflict([path]) from error


def _look(target: Root, file: SealedFile, buffer: memoryview) -> _Found:
    beat()
    try:
        folder, name = target.parent_of(file.path)
        handle = os.open(name, _FLAGS, dir_fd=folder)
    except OSError as error:
        if is_no_entry(error):
            return _Found.NOTHING
        if is_wrong_kind(error):
            return _Found.OTHER
        raise
    try:
        if not _same(handle, file, buffer):
            return _Found.OTHER
        if os.fstat(handle).st_mtime_ns != file.mtime_ns:
            os.utime(handle, ns=(file.mtime_ns, file.mtime_ns))
        return _Found.SAME
    finally:
        os.close(handle)


def _same(handle: int, file: SealedFile, buffer: memoryview) -> bool:
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_size != file.size:
        return False
    digest = hashlib.sha256()
    while count := os.readv(handle, [buffer]):
        digest.update(buffer[:count])
        beat()
    return digest.hexdigest() == file.sha256


def make_destination_parent(destination: Path) -> None:
    """Creates the folders above a destination, mode 0755."""
    destination.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
