"""The copy in the BUFFER is no more, and one archive of the site has the package: the others are filled from that one."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from contracts.packages import PackageArchived
from libs.errors import ChasquiError, Retriable
from libs.service.service import Place
from libs.storage.base import ByteProgress
from libs.telemetry.logs import logger
from services.archiver.archiving import Archive, archive
from services.archiver.arrivals import Arrival
from services.archiver.fetching import Fetcher
from services.archiver.naming import package_key
from services.archiver.sources import ArchiveSource

log = logger("archiver")


class Filler:
    """Fills archives of one site from one another.

    Args:
        place: Where the instance runs.
        archives: The site's archives.
        fetcher: Makes a copy in an archive readable as a file.
    """

    def __init__(self, *, place: Place, archives: Sequence[Archive], fetcher: Fetcher) -> None:
        self._place = place
        self._archives = archives
        self._fetcher = fetcher

    async def fill(
        self,
        arrival: Arrival,
        target: Archive,
        holders: Collection[str],
        *,
        created: datetime,
        progress: ByteProgress,
    ) -> PackageArchived | None:
        """Put a package into an archive from the first other one that gives it out whole; None if none does.

        Args:
            arrival: The package, and where its copy was.
            target: The archive to fill.
            holders: The archives that are said to have it.
            created: Told in the sidecar.
            progress: Hears the bytes.

        Raises:
            Retriable: An archive cannot be used now, or there is no room to fetch the package.
        """
        for holder in self._archives:
            if holder.location not in holders or holder.location == target.location:
                continue
            try:
                return await self._from(holder, arrival, target, created, progress)
            except Retriable:
                raise
            except ChasquiError as error:
                log.warning("not_filled", archive=target.location, source=holder.location, **_words(error))
        return None

    async def _from(
        self, holder: Archive, arrival: Arrival, target: Archive, created: datetime, progress: ByteProgress
    ) -> PackageArchived:
        package = arrival.package
        source = ArchiveSource(holder.location, package_key(holder.settings.prefix, package))
        async with self._fetcher.fetched(source, package, progress) as path:
            there = replace(arrival, path=path.name)
            done = await archive(there, target, root=path.parent, created=created, progress=progress)
        log.info("filled", package=package.name, archive=target.location, source=holder.location)
        return done.model_copy(update={"buffer_path": arrival.path})


def _words(error: ChasquiError) -> dict[str, str]:
    return {"code": error.problem.code, "reason": error.problem.reason}
