"""Damaged arrivals, out of the way of their repair: the newest one is kept for a while, for a person to look at.

What is set aside is the file that was found damaged, or it gets its name back, replacing nothing: a repair may have
come since, however long this process was paused. Only what was set aside earlier is removed.

Everything here blocks: it runs in a thread.
"""

import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from libs.bus import fencing
from libs.copies.examining import Identity, identify
from libs.storage.files import make_folders, sync_folder
from libs.storage.paths import resolve_inside

FOLDER = ".quarantine"


def set_aside(root: Path, relative: str, identity: Identity, label: str) -> Path | None:
    """Move a damaged arrival out of the way; earlier ones go for good.

    Args:
        root: The folder of the BUFFER.
        relative: The arrival's path below it.
        identity: The file that was found damaged: no other one is touched.
        label: Put before its name.

    Returns:
        Where it is now; None if it was not there any more.

    Raises:
        Overtaken: A successor verifies, or has verified.
    """
    fencing.check()
    path = resolve_inside(root, relative)
    if identify(path) != identity:
        return None
    folder = root / FOLDER
    make_folders(folder)
    aside = folder / f"{label}-{path.name}"
    with suppress(FileNotFoundError):  # another instance was faster
        path.rename(aside)
        if identify(aside) != identity:
            _give_back(aside, path)
            return None
        sync_folder(path.parent)
    _remove_earlier(folder, aside)
    return aside


def _give_back(aside: Path, path: Path) -> None:
    with suppress(FileExistsError):  # one that is newer still has the name: this one stays aside
        path.hardlink_to(aside)
        aside.unlink()


def _remove_earlier(folder: Path, kept: Path) -> None:
    with suppress(FileNotFoundError):
        since = kept.lstat().st_ctime_ns
        for other in folder.iterdir():
            with suppress(FileNotFoundError):
                if other != kept and other.lstat().st_ctime_ns <= since:
                    other.unlink()


def clear_old(root: Path, older_than: timedelta) -> int:
    """Remove what was set aside so long ago; return how many."""
    before = time.time() - older_than.total_seconds()
    removed = 0
    with suppress(FileNotFoundError):
        for kept in (root / FOLDER).iterdir():
            with suppress(FileNotFoundError):
                if kept.lstat().st_ctime < before:
                    kept.unlink()
                    removed += 1
    return removed
