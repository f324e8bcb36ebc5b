"""A folder on a local or mounted disk as a place for files, without blocking the event loop."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from libs.errors import Retriable
from libs.storage import files
from libs.storage.deletion import Deleted, EmptiedFolders, delete_below
from libs.storage.exactly import FileFacts, facts_of
from libs.storage.paths import SymlinkPolicy, resolve_inside
from libs.storage.walk import WalkBatch, scan_tree

WALK_BATCH = 1000
"""Entries that a walk hands over at once."""


@dataclass(frozen=True, slots=True)
class Space:
    """Room on the file system of a location, in bytes; `free` is what an ordinary user may still write."""

    total: int
    free: int

    @property
    def used_fraction(self) -> float:
        """Between 0 (empty) and 1 (nothing more fits)."""
        return 1.0 - self.free / self.total if self.total else 1.0


def measure_space(folder: Path) -> Space:
    """Ask the file system of `folder` (or of its nearest existing parent) for its room; blocking.

    Raises:
        Retriable: `location_missing` when no part of the path exists.
    """
    for step in (folder, *folder.parents):
        try:
            facts = os.statvfs(step)
        except FileNotFoundError:
            continue
        return Space(total=facts.f_blocks * facts.f_frsize, free=facts.f_bavail * facts.f_frsize)
    raise Retriable("location_missing", f"{folder} is not there", "Mount the location or correct its path.")


class DiskStore:
    """Files below one folder; every name is checked to stay below it.

    Args:
        root: The folder. It must exist when it is used, not when this is made.
        symlinks: What links below the root mean for names from outside.
    """

    def __init__(self, root: Path, symlinks: SymlinkPolicy = SymlinkPolicy.REFUSE) -> None:
        self.root = root
        self._symlinks = symlinks

    async def path(self, relative: str) -> Path:
        """The path of a name below the root.

        Raises:
            UserError: As `resolve_inside`.
        """
        return await asyncio.to_thread(resolve_inside, self.root, relative, self._symlinks)

    async def facts(self, relative: str) -> FileFacts | None:
        """Size, time and identity of a file, or None when it is not there."""
        return await asyncio.to_thread(facts_of, await self.path(relative))

    async def space(self) -> Space:
        """Room on the root's file system."""
        return await asyncio.to_thread(measure_space, self.root)

    async def sha256(self, relative: str) -> str:
        """SHA-256 of a file's bytes, in hexadecimal.

        Raises:
            Permanent: `source_missing`.
        """
        return await asyncio.to_thread(files.sha256_file, await self.path(relative))

    async def write(self, relative: str, data: bytes) -> Path:
        """Write a small file whole or not at all, replacing what has the name; missing folders are made.

        Raises:
            Retriable: `disk_full`.
        """
        path = await self.path(relative)
        await asyncio.to_thread(files.write_atomic, path, data)
        return path

    async def rename(self, old: str, new: str) -> Path:
        """Sync a file and rename it, so that it is found under its new name after a power loss.

        Raises:
            Permanent: `source_missing`.
        """
        source, final = await self.path(old), await self.path(new)
        await asyncio.to_thread(_rename, source, final)
        return final

    async def delete(self, relative: str, emptied: EmptiedFolders = EmptiedFolders.KEEP) -> Deleted:
        """Delete one file below the root; a second call finds it already gone.

        Raises:
            Permanent: `delete_refused`.
        """
        return await asyncio.to_thread(delete_below, self.root, relative, emptied)

    async def walk(self, batch_size: int = WALK_BATCH) -> AsyncIterator[WalkBatch]:
        """Yield every regular file and every oddity below the root, in batches.

        Raises:
            Retriable: `location_missing`.
        """
        batches = scan_tree(self.root, batch_size)
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            yield batch


def _rename(source: Path, final: Path) -> None:
    files.make_folders(final.parent)
    try:
        files.publish(source, final)
    except FileNotFoundError as error:
        raise files.source_missing(source) from error
