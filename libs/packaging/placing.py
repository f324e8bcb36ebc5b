"""Moving verified files to where they belong, beside others, never over different ones.

No lock is held meanwhile, which a paused process would hold for ever: a folder is renamed to where nothing is, a file is
linked to where nothing is, and both need the name that a successor takes away (`libs.storage.partial_trees`).
"""

import errno
import hashlib
import os
import stat
from collections.abc import Sequence
from enum import Enum, auto
from pathlib import Path

from libs.bus.pulse import beat
from libs.packaging.faults import DestinationConflict
from libs.packaging.folders import FOLDER_MODE, Missing, Root, is_no_entry, is_wrong_kind
from libs.packaging.payload import SealedFile
from libs.storage.files import sync_filesystem, sync_folder

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_BUFFER_BYTES = 1024 * 1024
_TAKEN = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR})
"""What a rename says of a folder that stands there with something in it, or of something that is no folder."""


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

    All conflicts with what stands there are found before the first file moves. Several packages may be placed into
    one destination at the same time.

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
    if _is_free(tree, destination):
        sync_folder(destination.parent)
        return [file.path for file in files], []
    with Root(tree) as source, Root(destination) as target:
        written, already = _merge(source, target, files)
    sync_filesystem(destination)
    return written, already


def _is_free(tree: Path, destination: Path) -> bool:
    """Whether nothing stood there, and the tree has the name now."""
    if os.path.lexists(destination):
        return False
    try:
        tree.rename(destination)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        return False
    return True


def _merge(source: Root, target: Root, files: Sequence[SealedFile]) -> tuple[list[str], list[str]]:
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    found = {file.path: _look(target, file, buffer) for file in files}
    conflicts = [file for file in files if found[file.path] is _Found.OTHER]
    if conflicts:
        raise DestinationConflict(conflicts)
    for file in files:
        if found[file.path] is _Found.NOTHING:
            found[file.path] = _link(source, target, file, buffer)
            beat()
    return [path for path, what in found.items() if what is _Found.NOTHING], [
        path for path, what in found.items() if what is _Found.SAME
    ]


def _link(source: Root, target: Root, file: SealedFile, buffer: memoryview) -> _Found:
    """Give a file its name, and say what stood there."""
    from_folder, name = source.parent_of(file.path)
    to_folder, _ = target.parent_of(file.path, Missing.CREATE)
    try:
        # A link, unlike a rename, refuses to replace what somebody put there since it was looked at.
        os.link(name, name, src_dir_fd=from_folder, dst_dir_fd=to_folder, follow_symlinks=False)
    except FileExistsError as error:
        if _look(target, file, buffer) is not _Found.SAME:
            raise DestinationConflict([file]) from error
        return _Found.SAME
    return _Found.NOTHING


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
