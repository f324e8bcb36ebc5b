"""Saying what becomes of an asset, so that whatever is decided is decided once.

Transfers, runs and marks are three entities, each under a guard of its own (`libs.bus.guard`): whoever says something
of one has seen everything that was said of all three before, and of this one nothing was said since. A mark may come at
the very moment of a run's event and have the same turn; whoever keeps marks sees to it that none is lost.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

from nats.aio.client import Client

from contracts.base import Event
from contracts.skynet.assets import AssetEvent, AssetTransferStarted, RenderMarked
from contracts.skynet.runs import RunStarted
from contracts.subjects import events_stream
from libs.bus import fencing
from libs.bus.guard import Covers, Guard, until_undisputed
from libs.bus.publishing import EventPublisher
from libs.opsdb.reader import OpsDbReader
from libs.skynet.knowing import KnownAsset, known_asset

ENTITIES: tuple[type[Event], ...] = (RenderMarked, AssetTransferStarted, RunStarted)

Decide = Callable[[KnownAsset], AssetEvent | None]
"""The next event, or None if there is nothing (more) to say; it is asked again after each event."""


class Assets:
    """The assets of one site.

    Args:
        opsdb: Gives the site's ops-db, once it is there.
        client: Connected to the site's server.
        publisher: Of the one who decides.
        site: The site.
    """

    def __init__(
        self,
        opsdb: Callable[[], Awaitable[OpsDbReader]],
        client: Client,
        publisher: EventPublisher,
        site: str,
    ) -> None:
        self._opsdb = opsdb
        self._guards = {
            event.entity: Guard(client, publisher, site=site, event=event, covers=Covers.ENTITY)
            for event in ENTITIES
        }
        self._stream = events_stream(site)
        self._site = site

    async def look(self, uid: UUID) -> KnownAsset | None:
        """An asset as everything says that was said until now; None if none was registered here.

        Raises:
            Retriable: ``bus_unavailable``, ``opsdb_unavailable``, ``projection_lags``.
        """
        return (await self._newest(uid))[0]

    async def glance(self, uid: UUID) -> KnownAsset | None:
        """An asset as ops-db knows it, whatever was said since.

        Raises:
            Retriable: ``opsdb_unavailable``.
        """
        return await known_asset(await self._opsdb(), uid, self._site)

    async def settle(
        self,
        uid: UUID,
        decide: Decide,
        *,
        causation_id: str | None = None,
        check: Callable[[], object] = fencing.check,
    ) -> KnownAsset | None:
        """Decide about an asset until there is nothing more to say; store each event before the next is decided.

        Args:
            uid: The asset.
            decide: Pure; it is asked again if somebody else was faster.
            causation_id: The event that asks.
            check: Raises where a successor may be at the same work; asked right before each event.

        Returns:
            The asset after all that; None if there is none.

        Raises:
            Retriable: As `look`, and ``sequence_conflict``.
            Overtaken: As `check` says.
        """

        async def once() -> KnownAsset | None:
            while True:
                known, last = await self._newest(uid)
                event = None if known is None else decide(known)
                if event is None:
                    return known
                check()
                guard = self._guards[event.entity]
                await guard.publish(event, after=last[event.entity], causation_id=causation_id)

        return await until_undisputed(once)

    async def _newest(self, uid: UUID) -> tuple[KnownAsset | None, dict[str, int]]:
        last = {entity: await guard.last_sequence() for entity, guard in self._guards.items()}
        opsdb = await self._opsdb()
        await opsdb.wait_applied(self._stream, max(last.values()))
        return await known_asset(opsdb, uid, self._site), last
