"""Saying what happened, and waiting until ops-db knows: the next look would tell of the same copies again."""

from collections.abc import Sequence

from contracts.base import Event
from contracts.subjects import events_stream
from libs.bus.publishing import EventPublisher
from libs.opsdb.reader import OpsDbReader


class Voice:
    """Of one instance.

    Args:
        publisher: Of the service.
        opsdb: The site's ops-db.
        site: The site.
    """

    def __init__(self, publisher: EventPublisher, opsdb: OpsDbReader, site: str) -> None:
        self._publisher = publisher
        self._opsdb = opsdb
        self._stream = events_stream(site)

    async def announce(self, events: Sequence[Event], causation_id: str | None) -> None:
        """Store what is about to be done.

        Raises:
            Retriable: ``bus_unavailable``.
        """
        await self._publisher.publish(events, causation_id=causation_id)

    async def tell(self, events: Sequence[Event], causation_id: str | None) -> None:
        """Store what was done, and return when ops-db has it.

        Raises:
            Retriable: ``bus_unavailable``, ``opsdb_unavailable``, ``projection_lags``: all is stored in the last case.
        """
        sequence = await self._publisher.publish(events, causation_id=causation_id)
        if sequence:
            await self._opsdb.wait_applied(self._stream, sequence)
