"""Damaged arrivals, out of the way of their repair: the newest one is kept for a while, for a person to look at.

Everything here blocks: it runs in a thread.
"""

import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

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
    """
    path = resolve_inside(root, relative)
    if identify(path) != identity:
        return None
    folder = root / FOLDER
    make_folders(folder)
    aside = folder / f"{label}-{path.name}"
    with suppress(FileNotFoundError):  # another instance was faster
        path.rename(aside)
        sync_folder(path.parent)
    for other in folder.iterdir():
        if other != aside:
            other.unlink(missing_ok=True)
    return aside


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
