"""The sweep: everything is looked at now and then, whatever notifications and messages said.

Each instance looks again at the files of its own watchlist, which no other one knows. What an instance that died has
left, and what nobody filed, is looked for by one instance: the one that holds the lease of the sweep.
"""

from collections.abc import Sequence

from libs.bus.publishing import EventPublisher
from libs.errors import Retriable
from libs.service.patience import patiently
from libs.telemetry.logs import logger
from services.scanner.recovery import Recovery
from services.scanner.scanner import Scanner
from services.scanner.unfiled import UnfiledSweep

log = logger("scanner")


class Sweeper:
    """Sweeps the SOURCE locations of a site.

    Args:
        scanner: Looks for the files.
        recovery: Compares its watchlist with ops-db.
        unfiled: By location, what nobody filed.
        publisher: Of the service.
    """

    def __init__(
        self,
        scanner: Scanner,
        recovery: Recovery,
        unfiled: Sequence[UnfiledSweep],
        publisher: EventPublisher,
    ) -> None:
        self._scanner = scanner
        self._recovery = recovery
        self._unfiled = tuple(unfiled)
        self._publisher = publisher
        self._recovered = False

    async def look_again(self) -> None:
        """Look at everything on this instance's watchlist that still waits.

        Raises:
            Retriable: ``projection_lags``, ``opsdb_unavailable``, ``bus_unavailable``; everything was looked at.
        """
        self._scanner.notice_all()
        await self._recovery.forget_settled(self._scanner)

    async def sweep(self) -> None:
        """Adopt what no living instance looks for, then look for files that nobody filed.

        Raises:
            Retriable: As `look_again`; nothing was adopted.
        """
        await self._recover()
        for location in self._unfiled:
            await self._look_for_unfiled(location)

    async def _recover(self) -> None:
        if self._recovered:
            await self._recovery.recover(self._scanner)
            return
        await patiently(lambda: self._recovery.recover(self._scanner), what="files that are looked for")
        self._recovered = True
        log.info("recovered", files=len(self._scanner.watchlist))

    async def _look_for_unfiled(self, location: UnfiledSweep) -> None:
        try:
            # What was filed by now must not be taken for unfiled because ops-db has not heard of it.
            await self._recovery.applied()
            events = await location.look()
            await self._publisher.publish(events)
        except Retriable as error:
            log.warning("not_swept", **error.problem.model_dump())
        except OSError as error:
            log.warning("not_swept", code="walk_failed", reason=str(error))
        else:
            location.told(events)
