"""Whether the destination has the room for a transfer, asked before the first byte. Everything here blocks."""

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from libs.errors import Retriable
from libs.storage.disk import measure_space
from libs.storage.partials import tries_at
from libs.transfer.engine import Existing, TransferItem

_BLOCK = 512


def check_room(items: Iterable[TransferItem], reserve: int) -> None:
    """Compare what is still to be written with the room on each file system that is written to.

    Args:
        items: What is to be copied.
        reserve: Bytes to leave free on each file system.

    Raises:
        Retriable: `disk_full`, with the numbers.
    """
    needs: defaultdict[int, int] = defaultdict(int)
    folders: dict[int, Path] = {}
    for item in items:
        folder = existing_parent(item.destination)
        device = folder.stat().st_dev
        folders[device] = folder
        needs[device] += _still_to_write(item)
    for device, need in needs.items():
        free = measure_space(folders[device]).free
        if need > 0 and need > free - reserve:
            raise Retriable(
                "disk_full",
                f"{need} bytes are to be written at {folders[device]}, {free} are free, {reserve} are to stay free",
                "Free space at this location or let the janitor run; the transfer goes on by itself.",
            )


def existing_parent(path: Path) -> Path:
    """The nearest folder above `path` that is there."""
    return next(step for step in path.parents if step.is_dir())


def _still_to_write(item: TransferItem) -> int:
    try:
        if item.existing is Existing.KEEP and item.destination.lstat().st_size == item.size:
            return 0
    except FileNotFoundError:
        pass
    held = max((_blocks(partial) for partial in tries_at(item.destination)), default=0)
    return max(0, item.size - held)


def _blocks(partial: Path) -> int:
    try:
        return os.lstat(partial).st_blocks * _BLOCK
    except FileNotFoundError:
        return 0
