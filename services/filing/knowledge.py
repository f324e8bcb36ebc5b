"""The present state of a site's filing: a view of ops-db, and what the log says after it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from contracts.associations import Exposure
from contracts.base import Event
from contracts.subjects import events_stream
from libs.errors import Retriable
from libs.opsdb.reader import OpsDbReader, Snapshot
from services.filing import queries
from services.filing.logtail import LogTail
from services.filing.overlay import Overlay
from services.filing.world import FilesWorld, FinishWorld, KnownUnit

MOST_EVENTS: Final = 2_000
"""Events read from the log for one decision."""

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
        self._tail = tail
        self._stream = events_stream(site)
        self._overlay = Overlay()
        self._floor = -1
        self._read = -1
        self.last = 0
        """The sequence of the newest filing event that is known."""

    @asynccontextmanager
    async def view(self) -> AsyncIterator[View]:
        """The state at this moment; `last` is then the sequence to guard with.

        Raises:
            Retriable: ``opsdb_unavailable``, ``bus_unavailable`` or ``opsdb_behind``.
        """
        async with self._opsdb.snapshot(self._stream) as snapshot:
            self._move_to(snapshot.position)
            await self._catch_up()
            yield View(snapshot, self._overlay, self._stream)

    def stored(self, sequence: int, event: Event, event_id: UUID) -> None:
        """Take over an event that was stored right after `last`."""
        self._overlay.apply(sequence, event, event_id)
        self.last = self._read = sequence

    def _move_to(self, position: int) -> None:
        if self._floor < 0 or position < self._floor:
            # The first request, or ops-db is being rebuilt and knows less than before.
            self._overlay = Overlay()
            self._read = position
        self._overlay.prune(position)
        self._read = max(self._read, position)
        self._floor = position

    async def _catch_up(self) -> None:
        last = await self._tail.last_sequence()
        for _ in range(MOST_EVENTS):
            if last <= self._read:
                self.last = last
                return
            found = await self._tail.after(self._read)
            if found is None:
                self._read = last
                continue
            self._read, event, event_id = found
            if event is not None:
                self._overlay.apply(self._read, event, event_id)
            if self._overlay.files > MOST_FILES:
                break
        raise Retriable(
            "opsdb_behind",
            f"the ops-db has applied {self._stream} up to {self._floor}, far behind what was filed since",
            "Send the request again in a while; look whether the projector runs if it does not pass.",
        )
