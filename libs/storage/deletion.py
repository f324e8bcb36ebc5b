"""Deleting one file below a root so that no symbolic link, however fast it appears, leads elsewhere."""

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum, auto
from pathlib import Path

from libs.errors import Permanent
from libs.storage.exactly import FileFacts, give_back, remove
from libs.storage.partials import partials_among
from libs.storage.paths import split_relative

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class EmptiedFolders(Enum):
    """What becomes of folders that a deletion leaves empty."""

    KEEP = auto()
    """They stay."""
    REMOVE = auto()
    """They go, up to the root, which always stays."""


class Deleted(Enum):
    """What a deletion found."""

    REMOVED = auto()
    """The file was there and is gone."""
    ALREADY_GONE = auto()
    """There was no such file; a repeat of a deletion ends here."""
    REPLACED = auto()
    """Another file has the name by now, and stays."""


def delete_below(
    root: Path, relative: str, emptied: EmptiedFolders, exactly: FileFacts | None = None
) -> Deleted:
    """Delete the regular file (or the link itself, never its target) named below `root`; blocking.

    Every folder on the way is opened without following links and held open, so that renaming one of them
    meanwhile changes nothing.

    Args:
        root: Nothing outside it is touched.
        relative: The name.
        emptied: About folders that are left empty.
        exactly: The file that was looked at, if no other one may go (`libs.storage.exactly`).

    Raises:
        UserError: The name is refused (`libs.storage.paths`).
        Permanent: `delete_refused` when a component on the way is a link or a file, or the name is a folder.
    """
    parts = split_relative(relative)
    with ExitStack() as stack:
        try:
            folders = _open_folders(stack, root, parts[:-1])
            if exactly is None:
                os.unlink(parts[-1], dir_fd=folders[-1])
            elif not remove(folders[-1], parts[-1], exactly):
                return _in_its_place(folders[-1], parts[-1])
        except FileNotFoundError:
            return Deleted.ALREADY_GONE
        except OSError as error:
            raise _refused(root, relative, error) from error
        os.fsync(folders[-1])
        if emptied is EmptiedFolders.REMOVE:
            _remove_emptied(folders, parts[:-1])
    return Deleted.REMOVED


def give_back_below(root: Path, folder: str) -> None:
    """Give files their names back that a killed deletion has taken aside in a folder below `root`; blocking.

    Args:
        root: Nothing outside it is touched.
        folder: Relative; empty for the root itself. One that is not there, or not reached without links, has none.
    """
    with _folder_below(root, split_relative(folder) if folder else ()) as found:
        if found is not None:
            give_back(found)


def end_tries_below(root: Path, relative: str) -> None:
    """End all tries at the file named below `root` (`libs.storage.partials`): none can bring it back; blocking."""
    *folders, name = split_relative(relative)
    with _folder_below(root, tuple(folders)) as found:
        if found is None:
            return
        with os.scandir(found) as entries:
            names = [entry.name for entry in entries]
        for partial in partials_among(names, name):
            with suppress(FileNotFoundError):
                os.unlink(partial, dir_fd=found)


@contextmanager
def _folder_below(root: Path, names: tuple[str, ...]) -> Iterator[int | None]:
    """A folder, held open; None if it is not there, or not reached without links."""
    with ExitStack() as stack:
        try:
            found: int | None = _open_folders(stack, root, names)[-1]
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                raise
            found = None
        yield found


def _in_its_place(folder: int, name: str) -> Deleted:
    os.stat(name, dir_fd=folder, follow_symlinks=False)
    return Deleted.REPLACED


def _open_folders(stack: ExitStack, root: Path, names: tuple[str, ...]) -> list[int]:
    folders = [stack.enter_context(_opened(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)))]
    for name in names:
        folders.append(stack.enter_context(_opened(os.open(name, _FOLDER, dir_fd=folders[-1]))))
    return folders


@contextmanager
def _opened(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)


def _remove_emptied(folders: list[int], names: tuple[str, ...]) -> None:
    for depth in range(len(names) - 1, -1, -1):
        try:
            os.rmdir(names[depth], dir_fd=folders[depth])
        except OSError:  # not empty, or somebody else was faster: either way it is no longer ours to remove
            return
        os.fsync(folders[depth])


def _refused(root: Path, relative: str, error: OSError) -> Permanent:
    return Permanent(
        "delete_refused",
        f"{relative!r} below {root} was not deleted: {error.strerror}",
        "Look at what is there now: only regular files reached through real folders are deleted.",
    )
