"""Clearing what abandoned transfers left behind."""

import asyncio
import os
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from libs.storage.files import PARTIAL_SUFFIX
from libs.storage.partials import JOURNAL_SUFFIX, lock
from libs.storage.walk import scan_tree

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed: files, and the bytes they said they had."""

    files: int
    bytes: int


async def sweep(folder: Path, older_than: timedelta) -> Swept:
    """Remove partial files and journals below `folder` that nobody has written to for so long.

    A partial file that a living transfer holds is left alone, however old. Symbolic links are not followed.

    Args:
        folder: A location that holds only what Chasqui writes (a BUFFER): names decide what is removed.
        older_than: Time since the last write.

    Raises:
        Retriable: `location_missing`.
    """
    return await asyncio.to_thread(_sweep, folder, time.time_ns() - int(older_than.total_seconds() * 1e9))


def _sweep(folder: Path, before_ns: int) -> Swept:
    removed = [
        found.size
        for batch in scan_tree(folder, _BATCH)
        for found in batch.files
        if found.mtime_ns < before_ns and _is_left_over(found.path) and _remove(folder / found.path)
    ]
    return Swept(len(removed), sum(removed))


def _is_left_over(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.startswith(".") and name.removesuffix(JOURNAL_SUFFIX).endswith(PARTIAL_SUFFIX)


def _remove(path: Path) -> bool:
    """Remove a file unless a living transfer holds it, or the partial file that it is the journal of."""
    partial = path.with_name(path.name.removesuffix(JOURNAL_SUFFIX))
    try:
        fd = os.open(partial, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        path.unlink(missing_ok=True)
        return True
    try:
        if not lock(fd):
            return False
        path.unlink(missing_ok=True)
    finally:
        os.close(fd)
    return True
