"""The event log goes into the archive every so often: a site that burns down comes back up to its last minutes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from libs.breakers import resources
from libs.breakers.shared import Breakers
from libs.errors import ChasquiError, Postponed
from libs.eventlog.archives import behind_of, folder_of
from libs.eventlog.exporting import Exporter
from libs.eventlog.stream import StreamReader
from libs.service.service import Runtime
from libs.service.ticking import ticking
from libs.telemetry.logs import logger
from services.archiver.archiving import Archive

log = logger("archiver")


class LogKeeper:
    """Keeps the streams that can be read at a site in one archive.

    Args:
        location: The archive.
        exporters: One a stream: the site's own, and the mirrors of the others'.
        breakers: Those of the site: an archive that is given a rest is not asked for this either.
    """

    def __init__(self, location: str, exporters: Sequence[Exporter], breakers: Breakers) -> None:
        self._location = location
        self._exporters = tuple(exporters)
        self._breakers = breakers

    async def keep(self) -> None:
        """Add what is new. A stream that cannot be exported keeps no other one from it.

        Raises:
            Postponed: ``breaker_open``: the archive is given a rest.
            ChasquiError: What was wrong with the first of them.
        """
        failures: list[ChasquiError] = []
        for exporter in self._exporters:
            try:
                async with self._breakers.using(resources.archive(self._location)):
                    done = await exporter.export()
            except Postponed:
                raise
            except ChasquiError as failure:
                log.warning("log_not_exported", archive=self._location, **failure.problem.model_dump())
                failures.append(failure)
                continue
            if done.segments:
                log.info("log_exported", archive=self._location, stream=done.stream, last=done.last)
        if failures:
            raise failures[0]


@asynccontextmanager
async def keeping_the_log(runtime: Runtime, archives: Sequence[Archive]) -> AsyncIterator[None]:
    """Export the log to every archive while the block lasts, each by a clock of its own.

    One instance at a time does it, by a lease; two at once would do no harm.
    """
    place, client, breakers = runtime.place, runtime.bus.client, runtime.breakers()
    async with AsyncExitStack() as stack:
        for archive in archives:
            settings, name = archive.settings, archive.location
            exporters = [
                Exporter(
                    StreamReader(client, stream),
                    folder_of(archive.store, name, settings, stream),
                    segment_bytes=int(settings.log.segment),
                    behind=behind_of(place.site, stream),
                )
                for stream in place.streams
            ]
            clock = ticking(
                settings.log.every.total_seconds(),
                LogKeeper(name, exporters, breakers).keep,
                what=f"the event log in {name}",
                lease=runtime.lease(f"log.{name}"),
            )
            await stack.enter_async_context(clock)
        yield
