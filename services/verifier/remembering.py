"""What was said of an arrival before: a package that has left the BUFFER since was not lost.

A TransferCompleted may be heard again long after: the verifier was killed before it acknowledged it, or the event was
replayed. The package is archived by then, and its copy in the BUFFER deleted. What was said once counts.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from uuid import UUID

from nats.aio.client import Client

from contracts.subjects import events_stream
from contracts.transfers import MovedPackage, TransferCompleted
from libs.bus.extent import last_sequence
from libs.copies.examining import Damaged, Intact, Verdict
from libs.opsdb.reader import OpsDbReader
from services.verifier.sayings import package_event

_TOLD = """
SELECT event_id FROM event_record WHERE stream = $1 AND event_id = ANY($2::uuid[]) ORDER BY sequence LIMIT 1
"""


class Memory:
    """Asks the site's ops-db, which is opened only when it is asked: arrivals are read without it.

    Args:
        opsdb: Opens it.
        client: Connected to the site's server.
        site: The site.
    """

    def __init__(
        self,
        opsdb: Callable[[], AbstractAsyncContextManager[OpsDbReader]],
        client: Client,
        site: str,
    ) -> None:
        self._opsdb = opsdb
        self._client = client
        self._site = site

    async def verdict_of(self, transfer: TransferCompleted, moved: MovedPackage) -> Verdict | None:
        """The verdict that was told of a package of a transfer first; None if none was.

        Raises:
            Retriable: ``bus_unavailable``, ``opsdb_unavailable``, or ``projection_lags``.
        """
        told: dict[UUID, Verdict] = {
            package_event(transfer, moved, verdict).event_id(self._site): verdict
            for verdict in (Intact(), Damaged((), None))
        }
        stream = events_stream(self._site)
        last = await last_sequence(self._client, stream)
        async with self._opsdb() as opsdb:
            await opsdb.wait_applied(stream, last)
            found = await opsdb.fetchval(_TOLD, stream, list(told))
        return None if found is None else told[found]
