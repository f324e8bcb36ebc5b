"""The bytes of a good copy as a file here: where it lies in a BUFFER, or fetched from another archive."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from contracts.packages import PackageRecord
from contracts.states import LocationType
from libs.breakers import resources
from libs.breakers.shared import Breakers
from libs.errors import Permanent, Retriable
from libs.service.service import Place
from libs.storage.base import ByteProgress
from libs.storage.disk import measure_space
from libs.storage.files import PARTIAL_SUFFIX, source_missing
from libs.storage.paths import resolve_inside
from libs.storage.presence import require_location
from libs.storage.s3 import S3Store
from services.archiver.sources import ArchiveSource, BufferSource, Source

FOLDER = ".repairs"
"""Of a BUFFER: what is fetched for a repair, under names that the clearing of BUFFERs knows as left over."""


class Fetcher:
    """Makes copies of packages readable as files.

    Args:
        place: Where the instance runs.
        stores: The archives that can be read here, by location.
        breakers: Of the archives and BUFFERs.
    """

    def __init__(self, *, place: Place, stores: Mapping[str, S3Store], breakers: Breakers) -> None:
        self._place = place
        self._stores = stores
        self._breakers = breakers

    @asynccontextmanager
    async def fetched(
        self, source: Source, package: PackageRecord, progress: ByteProgress
    ) -> AsyncIterator[Path]:
        """A file that holds what the copy holds, as long as the block runs.

        Of an archive's copy it is proven to be the package; of a BUFFER's, whoever reads it has to.

        Raises:
            Permanent: The copy is not there, or is not the package; ``archive_without_keys``.
            Retriable: It cannot be read now.
        """
        match source:
            case BufferSource():
                yield await asyncio.to_thread(self._in_buffer, source)
            case ArchiveSource():
                buffer, scratch = self._scratch(package.package_id, source.location)
                async with self._breakers.using(resources.disk(buffer)):
                    await asyncio.to_thread(_make_room, scratch, package.size)
                try:
                    await self._download(source, package, scratch, progress)
                    yield scratch
                finally:
                    await asyncio.to_thread(scratch.unlink, missing_ok=True)

    def _in_buffer(self, source: BufferSource) -> Path:
        root = self._place.disk(source.location).path
        path = resolve_inside(root, source.path)
        if not path.exists():
            if source.expected:
                require_location(root, source.path)
            raise source_missing(path)
        return path

    def _scratch(self, package_id: UUID, location: str) -> tuple[str, Path]:
        buffers = self._place.settings.locations_of(LocationType.BUFFER)
        if not buffers:
            raise Retriable(
                "no_buffer",
                f"site {self._place.site} has no active BUFFER",
                "Make one active in the deployment file: what is repaired is fetched there first.",
            )
        buffer = next(iter(buffers))
        name = f".{package_id}.{location}{PARTIAL_SUFFIX}"
        return buffer, self._place.disk(buffer).path / FOLDER / name

    async def _download(
        self, source: ArchiveSource, package: PackageRecord, scratch: Path, progress: ByteProgress
    ) -> None:
        store = self._stores.get(source.location)
        if store is None:
            raise Permanent(
                "archive_without_keys",
                f"this process has no keys for the archive {source.location}, which has a copy",
                "Set the S3 keys of that location for the archiver, and start it again.",
            )
        async with self._breakers.using(resources.archive(source.location)):
            await store.download_file(
                source.key, scratch, size=package.size, sha256=package.sha256, progress=progress
            )


def _make_room(scratch: Path, size: int) -> None:
    """Refuse to fetch what there is no room for; blocking.

    Raises:
        Retriable: ``location_missing``, ``disk_full``.
    """
    root = scratch.parent.parent
    require_location(root)
    free = measure_space(root).free
    if free < size:
        raise Retriable(
            "disk_full",
            f"the copy needs {size} bytes while it is written anew, {root} has {free} bytes free",
            "Free space in the BUFFER; it is tried again by itself.",
        )
