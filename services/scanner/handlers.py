"""What the scanner hears."""

from collections.abc import Sequence

from contracts.base import Event
from contracts.files import FilesRefused
from contracts.observations import FilesFiled, ObservationFinished
from libs.bus.bus import Bus, DeliveryOf
from libs.bus.subscription import Subscription
from libs.opsdb.reader import OpsDbReader
from services.scanner import queries
from services.scanner.recovery import Recovery, monotonic_of
from services.scanner.scanner import Scanner
from services.scanner.watchlist import Wanted

FILED = Subscription("scanner", "filed", (FilesFiled,))
FINISHED = Subscription("scanner", "finished", (ObservationFinished,))
REFUSED = Subscription("scanner", "refused", (FilesRefused,))
SUBSCRIPTIONS = (FILED, FINISHED, REFUSED)

A_PERSON_DECIDES = "checksum_mismatch"
"""The refusal after which the scanner does not look again by itself."""


class ScannerHandlers:
    """Handles what the scanner hears.

    Args:
        scanner: Looks for the files.
        opsdb: The site's ops-db.
        recovery: Knows how far the log was when the watchlist was last compared with ops-db.
    """

    def __init__(self, scanner: Scanner, opsdb: OpsDbReader, recovery: Recovery) -> None:
        self._scanner = scanner
        self._opsdb = opsdb
        self._recovery = recovery

    async def filed(self, event: FilesFiled, delivery: DeliveryOf) -> Sequence[Event]:
        """Look for the files; those that are ready already are announced at once."""
        wanted = wanted_files(event, delivery)
        if delivery.attempt > 1 or self._recovery.knows(delivery):
            wanted = await self._still(wanted, delivery)
        return await self._scanner.look_for(
            wanted, filed=monotonic_of(delivery.envelope.time), sequence=delivery.sequence
        )

    async def finished(self, event: ObservationFinished, delivery: DeliveryOf) -> Sequence[Event]:  # noqa: ARG002  every handler's signature
        """Look once more at what the observation still waits for."""
        self._scanner.notice_unit(event.executed_obs_unit_id)
        return ()

    async def refused(self, event: FilesRefused, delivery: DeliveryOf) -> Sequence[Event]:
        """Look for the files again; they must be quiet again first."""
        retriable = [file.file_id for file in event.files if file.problem.code != A_PERSON_DECIDES]
        if not retriable:
            return ()
        await self._opsdb.wait_applied(delivery.stream, delivery.sequence)
        wanted = await queries.these(self._opsdb, retriable, delivery.envelope.id)
        return await self._scanner.look_for(
            wanted, filed=monotonic_of(delivery.envelope.time), sequence=delivery.sequence
        )

    async def _still(self, wanted: Sequence[Wanted], delivery: DeliveryOf) -> list[Wanted]:
        """Leave out what is outdated since the message came first."""
        await self._opsdb.wait_applied(delivery.stream, delivery.sequence)
        known = await queries.these(self._opsdb, [file.file_id for file in wanted], None)
        return still_wanted(wanted, known)


def still_wanted(wanted: Sequence[Wanted], known: Sequence[Wanted]) -> list[Wanted]:
    """Those of some files that are looked for as they were declared then.

    Others were found since, may be archived and deleted by now; or they were declared anew, and the event that did so
    has had them looked for.

    Args:
        wanted: As an earlier event declared them.
        known: As ops-db says that they are looked for.
    """
    sizes = {file.file_id: file.size for file in known}
    return [file for file in wanted if file.file_id in sizes and sizes[file.file_id] == file.size]


def wanted_files(event: FilesFiled, delivery: DeliveryOf) -> list[Wanted]:
    """The files of an event, as something to look for."""
    after = None if event.after is None else delivery.envelope.id
    return [
        Wanted(
            file_id=file.file_id,
            unit_id=event.executed_obs_unit_id,
            instrument=event.instrument,
            module=file.module,
            location=event.location,
            path=file.path,
            size=file.size,
            after=after,
        )
        for file in event.files
    ]


def subscribe(bus: Bus, handlers: ScannerHandlers) -> None:
    """Give each subscription its handler."""
    bus.subscribe(FILED, handlers.filed)
    bus.subscribe(FINISHED, handlers.finished)
    bus.subscribe(REFUSED, handlers.refused)
