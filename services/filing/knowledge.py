"""The present state of a site's filing: a view of ops-db, and what the log says after it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from contracts.associations import Exposure
from contracts.subjects import events_stream
from libs.opsdb.reader import OpsDbReader, Snapshot
from services.filing import queries
from services.filing.following import Following
from services.filing.logtail import Found, LogTail
from services.filing.overlay import Overlay
from services.filing.world import FilesWorld, FinishWorld, KnownUnit

MOST_FILES: Final = 200_000
"""Registrations of files kept in memory while ops-db has not applied them."""


@dataclass(frozen=True, slots=True)
class View:
    """Everything that was filed up to the end of the log, as one request sees it."""

    snapshot: Snapshot
    overlay: Overlay
    stream: str

    async def unit(self, unit_id: UUID) -> KnownUnit | None:
        """An observation; None if nobody started it."""
        return self.overlay.unit(unit_id, await queries.unit(self.snapshot, unit_id))

    async def exposure(self, unit_id: UUID) -> Exposure | None:
        """The exposure that an observation is; None if nobody said so."""
        recent = self.overlay.exposure(unit_id)
        return await queries.exposure(self.snapshot, unit_id) if recent is None else recent

    async def files(self, unit_id: UUID, location: str, paths: list[str]) -> FilesWorld:
        """What is known about the files at these paths."""
        known = await queries.files(self.snapshot, unit_id, location, paths)
        mine = self.overlay.mine(unit_id, location, paths, known.mine)
        last = await queries.last(self.snapshot, unit_id, self.stream) if mine else None
        return FilesWorld(
            unit=await self.unit(unit_id),
            mine=mine,
            elsewhere=self.overlay.elsewhere(unit_id, location, paths, known.elsewhere),
            last=self.overlay.last(unit_id, last),
        )

    async def finish(self, unit_id: UUID) -> FinishWorld:
        """What is known about an observation that is to end."""
        recent = self.overlay.file_ids(unit_id)
        return FinishWorld(
            unit=await self.unit(unit_id),
            file_count=len(recent) + await queries.file_count(self.snapshot, unit_id, recent),
        )


class Knowledge:
    """Keeps the overlay between requests. One request at a time: the caller holds a lock.

    Args:
        opsdb: The site's ops-db.
        tail: The end of the site's log.
        site: The site.
    """

    def __init__(self, opsdb: OpsDbReader, tail: LogTail, site: str) -> None:
        self._opsdb = opsdb
        self._stream = events_stream(site)
        self._following = Following(tail, Overlay, most=MOST_FILES)

    @property
    def last(self) -> int:
        """The sequence of the newest filing event that is known."""
        return self._following.last

    @asynccontextmanager
    async def view(self) -> AsyncIterator[View]:
        """The state at this moment; `last` is then the sequence to guard with.

        Raises:
            Retriable: ``opsdb_unavailable``, ``bus_unavailable`` or ``opsdb_behind``.
        """
        async with self._opsdb.snapshot(self._stream) as snapshot:
            yield View(snapshot, await self.overlay(snapshot.position), self._stream)

    async def overlay(self, position: int) -> Overlay:
        """What the log says after a position of ops-db.

        Raises:
            Retriable: ``bus_unavailable`` or ``opsdb_behind``.
        """
        return await self._following.move_to(position)

    def stored(self, found: Found) -> None:
        """Take over an event that was stored right after `last`."""
        self._following.stored(found)
