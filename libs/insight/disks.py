"""The room on a site's disk locations."""

import asyncio
from pathlib import Path

from contracts.base import ByteCount, Message
from libs.service.service import Place
from libs.sites.models import DiskLocation
from libs.storage.disk import measure_space


class Disk(Message):
    """The room on a disk location; all zero while it cannot be reached."""

    location: str
    type: str
    total: ByteCount
    free: ByteCount
    reachable: bool


async def disks_of(place: Place) -> tuple[Disk, ...]:
    """Every disk location of a site, in the order of the deployment file."""
    found = [(n, x) for n, x in place.settings.locations.items() if isinstance(x, DiskLocation)]
    return tuple(await asyncio.gather(*(_disk(name, location) for name, location in found)))


async def _disk(name: str, location: DiskLocation) -> Disk:
    # A mount that hangs must not hold up the page: it is told as unreachable, and its thread ends when it does.
    try:
        async with asyncio.timeout(REACH_S):
            total, free = await asyncio.to_thread(_measure, Path(location.path))
    except (OSError, TimeoutError):
        return Disk(location=name, type=location.type, total=0, free=0, reachable=False)
    return Disk(location=name, type=location.type, total=total, free=free, reachable=True)


REACH_S = 3.0


def _measure(folder: Path) -> tuple[int, int]:
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    space = measure_space(folder)
    return space.total, space.free
