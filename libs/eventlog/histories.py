"""Before a site writes to its log: is there a history of it elsewhere that its own stream does not have?

A stream that begins anew at sequence 1, or goes on before its end, would collide with the mirrors at other sites and
with the archive: two events under one number, and no ops-db would equal any other.
"""

from collections.abc import Sequence

from nats.aio.client import Client

from contracts.problems import Problem
from contracts.subjects import events_stream
from libs.bus.provision import Neighbour
from libs.errors import Permanent, Retriable, UserError
from libs.eventlog.folder import LogFolder
from libs.eventlog.heads import reach
from libs.eventlog.restoring import Restoration, Standing
from libs.eventlog.sources import find_mirrors
from libs.eventlog.stream import StreamReader
from libs.telemetry.logs import logger

log = logger("eventlog")


class OwnHistory:
    """A site's own stream, held against what others know of it.

    Args:
        client: Connected to the site's server.
        site: The site.
    """

    def __init__(self, client: Client, site: str) -> None:
        self._client = client
        self._site = site
        self._stream = events_stream(site)
        self._reader = StreamReader(client, self._stream)

    async def require_restored(self) -> None:
        """Refuse a stream that is being restored.

        Raises:
            UserError: ``restore_unfinished``.
        """
        standing, last = await Restoration(self._client, self._site).look()
        if standing is Standing.RESTORING:
            raise UserError(
                "restore_unfinished",
                f"the log of {self._site} was restored up to event {last} when the restore was stopped",
                f"Let it go on: chasqui events restore --site {self._site}",
            )

    async def require_archived(self, folders: Sequence[LogFolder]) -> None:
        """Refuse a stream that lacks what an archive has, or differs from it.

        An archive that does not answer is passed over, unless the stream is empty: nobody could tell then.

        Raises:
            UserError: ``history_elsewhere``, ``history_differs``.
            Retriable: The archive is away, and the stream is empty.
        """
        for folder in folders:
            try:
                head, _ = await folder.newest_head()
            except Retriable as away:
                if not await self._last():
                    raise
                log.warning("history_not_compared", archive=folder.location, **away.problem.model_dump())
                continue
            if head is not None:
                await self._require(reach(head), head.record_digest, f"the archive {folder.location}")

    async def require_mirrored(self, neighbours: Sequence[Neighbour]) -> None:
        """Refuse a stream that lacks what another site's mirror has, or differs from it.

        Raises:
            UserError: ``history_elsewhere``, ``history_differs``.
        """
        mirrors = await find_mirrors(self._client, neighbours, self._stream, within_s=0)
        for mirror in mirrors.found:
            digest = (await mirror.reader.record(mirror.last)).digest()
            await self._require(mirror.last, digest, f"the mirror at {mirror.site}")

    async def require_projected(self, position: int) -> None:
        """Refuse a stream that ends before what the site's ops-db has applied.

        Raises:
            UserError: ``opsdb_ahead``.
        """
        last = await self._last()
        if position > last:
            raise UserError(
                "opsdb_ahead",
                f"the ops-db of {self._site} has applied {self._stream} up to {position}, but the stream ends at {last}",
                f"Restore the log: chasqui events restore --site {self._site}. If the events are lost for good, drop "
                "the ops-db's database: it is made anew from the log that there is.",
            )

    async def _require(self, last: int, digest: str, where: str) -> None:
        own = await self._last()
        if own < last:
            raise UserError(
                "history_elsewhere",
                f"{where} has the log of {self._site} up to event {last}, but its own stream ends at {own}",
                f"Restore it: chasqui events restore --site {self._site}. To begin anew on purpose, give the archive "
                "another log folder in the deployment file, and delete the mirrors at other sites.",
            )
        if (await self._record_digest(last)) != digest:
            raise UserError(
                "history_differs",
                f"event {last} of {self._site} is another one in {where} than in its own stream",
                "Two histories were written under one name: find out which is right. The other one has to go: delete "
                "the mirror or the stream (nats stream rm), or give the archive another log folder.",
            )

    async def _record_digest(self, sequence: int) -> str | Problem:
        try:
            return (await self._reader.record(sequence)).digest()
        except Permanent as gap:
            return gap.problem

    async def _last(self) -> int:
        extent = await self._reader.extent()
        return 0 if extent is None else extent.last
