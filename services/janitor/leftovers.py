"""What killed processes left behind and nobody comes back for: tries at files, and unfinished uploads.

Whoever does the same work again ends the tries before its own. These are of work that never came back: a route that
was removed, a package that was given up.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from contracts.states import LocationType
from libs.errors import ChasquiError
from libs.service.service import Place
from libs.sites.models import DiskLocation, S3Location
from libs.storage.s3 import S3Store
from libs.storage.s3_job import STALE_UPLOAD
from libs.telemetry.logs import logger
from libs.transfer.sweep import sweep

EVERY = 360
"""Sweeps from one look to the next one: about an hour."""
KEEP = timedelta(days=7)
"""So long a try is left alone that no living process holds: a link may be down for days, and then goes on."""
GRACE = STALE_UPLOAD
"""So long an unfinished upload is left alone to which nothing happens."""

log = logger("janitor")


class Leftovers:
    """Clears the BUFFERs and the archives of a site.

    Args:
        buffers: Their folders, in which only Chasqui writes.
        archives: Stores by location.
    """

    def __init__(self, buffers: Sequence[Path], archives: Mapping[str, S3Store]) -> None:
        self._buffers = tuple(buffers)
        self._archives = dict(archives)
        self._sweeps = 0

    @classmethod
    def of(cls, place: Place, stores: Mapping[str, S3Store]) -> "Leftovers":
        """Of everything that is a site's own, inactive locations included.

        Args:
            place: Where the janitor runs.
            stores: The archives that it has keys for.
        """
        locations = place.settings.locations.items()
        buffers = [
            one.path
            for _, one in locations
            if one.type is LocationType.BUFFER and isinstance(one, DiskLocation)
        ]
        own = {name for name, one in locations if isinstance(one, S3Location)}
        archives = {name: store for name, store in stores.items() if name in own}
        return cls(buffers, archives)

    async def look(self) -> None:
        """Clear them at the first sweep, and now and then. One that cannot be cleared keeps it from no other."""
        due, self._sweeps = self._sweeps % EVERY == 0, self._sweeps + 1
        if due:
            await self.clear()

    async def clear(self) -> None:
        """Clear them once."""
        for folder in self._buffers:
            await self._ended(folder)
        for location, store in self._archives.items():
            await self._aborted(location, store)

    async def _ended(self, folder: Path) -> None:
        try:
            swept = await sweep(folder, KEEP)
        except (ChasquiError, OSError) as error:
            log.warning("leftovers_stay", folder=str(folder), error=repr(error))
            return
        if swept.files:
            log.info("tries_removed", folder=str(folder), files=swept.files, bytes=swept.bytes)

    async def _aborted(self, location: str, store: S3Store) -> None:
        try:
            aborted = await store.abort_stale(GRACE)
        except ChasquiError as error:
            log.warning("leftovers_stay", location=location, **error.problem.model_dump())
            return
        for one in aborted:
            log.warning("upload_aborted", location=location, key=one.key, begun=one.initiated.isoformat())
