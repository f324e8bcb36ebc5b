"""Bringing one package from an archive into a job's folder, without a tar in between."""

import asyncio
import os
import stat
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from libs.breakers import resources
from libs.breakers.shared import Breakers
from libs.bus.pulse import beat
from libs.copies.staged import PlacedFile
from libs.errors import ChasquiError, Retriable
from libs.packaging import BagDamaged, UnpackedBag, unpack_bag
from libs.packaging.faults import storage_errors
from libs.storage.disk import measure_space
from libs.storage.s3 import S3Store
from libs.telemetry.logs import logger
from services.stager.archives import ArchiveCopy, Fault, another_may_help, on_second_thoughts, verdict
from services.stager.resolving import Wanted

log = logger("stager")


async def recall(
    wanted: Wanted,
    copies: Sequence[ArchiveCopy],
    stores: Mapping[str, S3Store],
    breakers: Breakers,
    destination: Path,
    *,
    progress: Callable[[int], None],
) -> UnpackedBag:
    """Unpack a package from the first archive copy that is whole.

    If none seems to be, those that seem damaged are read again: what a disk has lost stays lost, in the same way, while
    a faulty way to it turns other bits each time.

    Args:
        wanted: The package.
        copies: Where archives have it, the one to try first first.
        stores: The archives that can be read here.
        breakers: Of these archives.
        destination: The job's folder.
        progress: Hears the bytes read so far.

    Raises:
        Permanent: ``archive_copy_damaged``, ``archive_copy_missing``, ``destination_differs``.
        Retriable: An archive or the disk cannot be used now.
    """
    recalling = _Recall(wanted, stores, breakers, destination, progress)
    faults: list[Fault] = []
    for copy in copies:
        found = await recalling.tried(copy)
        if isinstance(found, UnpackedBag):
            return found
        faults.append(found)
    if isinstance(said := verdict(wanted.name, faults), Retriable):
        raise said
    for fault in [one for one in faults if isinstance(one.error, BagDamaged)]:
        found = await recalling.tried(fault.copy)
        if isinstance(found, UnpackedBag):
            return found
        faults[faults.index(fault)] = on_second_thoughts(fault, found)
    raise verdict(wanted.name, faults)


@dataclass(frozen=True, slots=True)
class _Recall:
    """One package on its way into a job's folder."""

    wanted: Wanted
    stores: Mapping[str, S3Store]
    breakers: Breakers
    destination: Path
    progress: Callable[[int], None]

    async def tried(self, copy: ArchiveCopy) -> UnpackedBag | Fault:
        """The package from one copy; or why that could not be used, if another may help."""
        try:
            async with self.breakers.using(resources.archive(copy.location)):
                return await self._unpacked(copy)
        except ChasquiError as error:
            if not another_may_help(error):
                raise
            log.warning(
                "copy_unusable",
                package=self.wanted.name,
                location=copy.location,
                key=copy.key,
                **error.problem.model_dump(),
            )
            return Fault(copy, error)

    async def _unpacked(self, copy: ArchiveCopy) -> UnpackedBag:
        store = self.stores.get(copy.location)
        if store is None:
            raise Retriable(
                "archive_without_keys",
                f"this process has no keys for the archive {copy.location}",
                "Set the S3 keys of that location for the stager, and start it again.",
            )
        stop = threading.Event()
        unpacking: asyncio.Future[UnpackedBag] | None = None
        try:
            async with store.open_reader(copy.key) as reader:
                unpacking = asyncio.ensure_future(
                    asyncio.to_thread(
                        unpack_bag,
                        reader,
                        self.destination,
                        only=self.wanted.paths,
                        expected_sha256=self.wanted.sha256,
                        expected_size=self.wanted.size,
                        progress=self.progress,
                        cancelled=stop,
                    )
                )
                return await asyncio.shield(unpacking)
        finally:
            # The reader is closed by now, so that a thread that waits for bytes wakes up and sees the signal.
            stop.set()
            if unpacking is not None:
                await asyncio.wait({unpacking})
                unpacking.exception()


def require_room(root: Path, needed: int) -> None:
    """Refuse to begin a job that cannot be finished; blocking.

    Raises:
        Retriable: ``location_missing``, ``disk_full``.
    """
    if not root.is_dir():
        raise Retriable("location_missing", f"{root} is not there", "Mount the location or correct its path.")
    free = measure_space(root).free
    if free < needed:
        raise Retriable(
            "disk_full",
            f"the job needs {needed} bytes, {root} has {free} bytes free",
            "Release staged data that is no longer needed; it is tried again by itself.",
        )


def stands(folder: Path, files: Iterable[PlacedFile]) -> bool:
    """Whether every file is in its place, with its size and time; blocking.

    For files that were proven when they were put there, so that a repeat need not fetch them again: all are read before
    the job is called complete.

    Raises:
        Retriable: ``storage_unavailable``, ``out_of_handles``: the disk cannot be asked, which says nothing of its files.
    """
    with storage_errors(folder):
        return all(_stands(folder / file.path, file) for file in files)


def _stands(path: Path, file: PlacedFile) -> bool:
    beat()
    try:
        facts = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISREG(facts.st_mode) and (facts.st_size, facts.st_mtime_ns) == (file.size, file.mtime_ns)
