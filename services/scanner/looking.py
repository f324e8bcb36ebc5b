"""Looking at many files, one lstat each. Blocking: call it in a worker thread."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from libs.errors import UserError
from libs.storage.paths import resolve_inside
from services.scanner.judging import Kind, Look


def look_at(root: Path, paths: Sequence[str]) -> list[Look]:
    """What stands at each path below `root`, in order; folders on the way are checked for links once each."""
    folders: dict[str, Look | None] = {}
    return [_look(root, path, folders) for path in paths]


def _look(root: Path, path: str, folders: dict[str, Look | None]) -> Look:
    folder = path.rpartition("/")[0]
    if folder not in folders:
        folders[folder] = _folder_fault(root, folder)
    if (fault := folders[folder]) is not None:
        return fault
    full = f"{root}/{path}"
    try:
        found = os.lstat(full)
    except (FileNotFoundError, NotADirectoryError):
        return Look(Kind.ABSENT)
    except OSError as error:
        return Look(Kind.ODD, why=f"it cannot be looked at ({error.strerror})")
    if not stat.S_ISREG(found.st_mode):
        return Look(Kind.ODD, why="it is no regular file")
    if not os.access(full, os.R_OK, effective_ids=True):
        return Look(Kind.ODD, why="it may not be read by this user")
    return Look(Kind.REGULAR, found.st_size, found.st_mtime_ns)


def _folder_fault(root: Path, folder: str) -> Look | None:
    if not folder:
        return None
    try:
        resolve_inside(root, folder)
    except UserError as error:
        return Look(Kind.ODD, why=error.problem.reason)
    except OSError as error:
        return Look(Kind.ODD, why=f"its folder cannot be looked at ({error.strerror})")
    return None
