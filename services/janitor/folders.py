"""The folders of staging jobs on disk. Everything here blocks: it runs in threads.

No symbolic link is followed on the way to a folder or inside it: what is staged belongs to users, who may
put links there.
"""

import errno
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

from libs.storage.partial_trees import tree_tries_among

STAGING = "staging"
GOING = ".deleting"
"""Ends the name of a folder that is being deleted."""
LEFTOVER_S = 600.0
"""Unpacking that was killed leaves a folder ``.….partial``, which the next try ends; an old one has none."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def job_folder(job_id: UUID) -> str:
    """The one folder that a job has at a PROCESSING location."""
    return f"{STAGING}/{job_id}"


def jobs_on_disk(root: Path) -> list[UUID]:
    """The jobs that have a folder at a location; folders of other names are somebody else's."""
    with _staging(root) as handle:
        return [] if handle is None else [found for name in _names(handle) if (found := _job_of(name))]


def remove(root: Path, job_id: UUID) -> None:
    """Delete a job's folder and everything in it; one that is gone is deleted already.

    It loses its name first: whoever looks finds it whole or not at all, also if this is killed. So do all tries to
    unpack into it: who was paused over one brings nothing back.

    Raises:
        OSError: The system refuses, or a link stands where a folder should.
    """
    with _staging(root) as handle:
        if handle is None:
            return
        _end_tries(handle, str(job_id))
        if not _is_folder(handle, str(job_id)):
            return
        aside = f".{job_id}{GOING}"
        _remove_tree(handle, aside)
        os.rename(str(job_id), aside, src_dir_fd=handle, dst_dir_fd=handle)
        os.fsync(handle)
        _remove_tree(handle, aside)
        os.fsync(handle)


def remove_leftovers(root: Path, older_than_s: float = LEFTOVER_S) -> int:
    """Delete what killed unpacking and killed deletions left beside the jobs' folders; returns how many.

    Whoever unpacks holds a lock on its folder, so that work in progress is never taken for a leftover.
    """
    removed = 0
    with _staging(root) as handle:
        for name in [] if handle is None else _names(handle):
            if name.startswith(".") and name.endswith(".partial"):
                with suppress(FileNotFoundError, BlockingIOError, NotADirectoryError):
                    removed += _remove_leftover(handle, name, older_than_s)
            elif name.startswith(".") and name.endswith(GOING):
                removed += _remove_tree(handle, name)
    return removed


def _end_tries(parent: int, job: str) -> None:
    for name in tree_tries_among(_names(parent), job):
        aside = f"{name}{GOING}"
        with suppress(FileNotFoundError):
            os.rename(name, aside, src_dir_fd=parent, dst_dir_fd=parent)
            _remove_tree(parent, aside)


def _is_folder(parent: int, name: str) -> bool:
    """Whether a folder is there; OSError if something else is."""
    try:
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(mode):
        what = "symbolic link" if stat.S_ISLNK(mode) else "file"
        raise OSError(errno.ENOTDIR, f"a {what} stands where a job's folder should")
    return True


def _remove_tree(parent: int | None, name: str) -> int:
    """Delete a folder that another instance may be deleting, too; returns how many there were."""
    try:
        shutil.rmtree(name, dir_fd=parent)
    except FileNotFoundError:
        return 0
    return 1


def _remove_leftover(parent: int | None, name: str, older_than_s: float) -> int:
    folder = os.open(name, _FOLDER, dir_fd=parent)
    try:
        if time.time() - os.fstat(folder).st_mtime < older_than_s:
            return 0
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(name, dir_fd=parent)
    finally:
        os.close(folder)
    return 1


@contextmanager
def _staging(root: Path) -> Iterator[int | None]:
    """The folder of all jobs, held open; None if nothing was ever staged.

    Raises:
        OSError: The location's root is not there, or a link stands where the folder should.
    """
    top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        handle = os.open(STAGING, _FOLDER, dir_fd=top)
    except FileNotFoundError:
        yield None
        return
    finally:
        os.close(top)
    try:
        yield handle
    finally:
        os.close(handle)


def _names(handle: int) -> list[str]:
    with os.scandir(handle) as entries:
        return [entry.name for entry in entries]


def _job_of(name: str) -> UUID | None:
    try:
        found = UUID(name)
    except ValueError:
        return None
    return found if str(found) == name else None
