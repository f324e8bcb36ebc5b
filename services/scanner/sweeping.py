"""The sweep: everything is looked at now and then, whatever notifications and messages said."""

import asyncio
from collections.abc import Sequence

from libs.bus.publishing import EventPublisher
from libs.errors import Retriable
from libs.service.patience import patiently
from libs.telemetry.logs import logger
from services.scanner.recovery import Recovery
from services.scanner.scanner import Scanner
from services.scanner.unfiled import UnfiledSweep

log = logger("scanner")


async def sweep_for_ever(
    scanner: Scanner,
    recovery: Recovery,
    unfiled: Sequence[UnfiledSweep],
    publisher: EventPublisher,
    *,
    every_s: float,
) -> None:
    """Recover from ops-db, then sweep every `every_s` seconds."""
    await patiently(lambda: recovery.recover(scanner), what="files that are looked for")
    log.info("recovered", files=len(scanner.watchlist))
    while True:
        scanner.notice_all()
        for location in unfiled:
            await _look_for_unfiled(location, recovery, publisher)
        await asyncio.sleep(every_s)
        try:
            await recovery.recover(scanner)
        except Retriable as error:
            log.warning("not_recovered", **error.problem.model_dump())


async def _look_for_unfiled(location: UnfiledSweep, recovery: Recovery, publisher: EventPublisher) -> None:
    try:
        # What was filed by now must not be taken for unfiled because ops-db has not heard of it.
        await recovery.applied()
        events = await location.look()
        await publisher.publish(events)
    except Retriable as error:
        log.warning("not_swept", **error.problem.model_dump())
    except OSError as error:
        log.warning("not_swept", code="walk_failed", reason=str(error))
    else:
        location.told(events)
