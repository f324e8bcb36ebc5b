"""Scanner, composed."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from contracts.files import FilesMissing, FilesScanned, FilesUnfiled
from libs.opsdb.reader import OpsDbReader
from libs.service.background import background
from libs.service.patience import patiently
from libs.service.service import Place, Runtime, Service
from libs.service.ticking import ticking
from libs.sites.models import Deployment
from services.scanner.handlers import SUBSCRIPTIONS, ScannerHandlers, subscribe
from services.scanner.notices import Notices
from services.scanner.recovery import Recovery
from services.scanner.scanner import Scanner
from services.scanner.sweeping import Sweeper
from services.scanner.unfiled import UnfiledSweep


class Watching(Enum):
    """Whether the scanner listens to the file system."""

    NOTICES = "notices"
    """Notifications and sweeps."""
    SWEEPS = "sweeps"
    """Sweeps alone, as on file systems that notify nobody."""


@dataclass(frozen=True, slots=True)
class Source:
    """A SOURCE location: its folder, and the instruments by their folders below it."""

    location: str
    root: Path
    folders: Mapping[str, str]


def runs_at(deployment: Deployment, site: str) -> bool:
    """Where instruments write."""
    return bool(deployment.instruments_at(site))


def sources(place: Place) -> list[Source]:
    """The SOURCE locations of a site's instruments, inactive ones included: files there still wait."""
    instruments = place.deployment.instruments_at(place.site)
    found = []
    for location in sorted({settings.source for settings in instruments.values()}):
        folders = {
            place.deployment.instrument_folder(name): name
            for name, settings in instruments.items()
            if settings.source == location
        }
        found.append(Source(location, place.disk(location).path, folders))
    return found


@asynccontextmanager
async def compose(runtime: Runtime, watching: Watching = Watching.NOTICES) -> AsyncIterator[None]:
    """Look for files in the background while messages are heard."""
    place, publisher = runtime.place, runtime.bus.publisher
    disks = sources(place)
    async with runtime.opsdb() as opsdb:
        scanner = Scanner({disk.location: disk.root for disk in disks}, place.settings.scan, publisher)
        recovery = Recovery(
            runtime.bus.client, opsdb, site=place.site, locations=[disk.location for disk in disks]
        )
        await patiently(recovery.applied, what="the ops-db to follow the log")
        subscribe(runtime.bus, ScannerHandlers(scanner, opsdb, recovery))
        sweeper = Sweeper(scanner, recovery, [_unfiled(disk, place, opsdb) for disk in disks], publisher)
        every_s, turn = place.settings.scan.sweep.total_seconds(), runtime.lease("sweep")
        notices = [Notices(disk.location, disk.root, disk.folders) for disk in disks]
        heard = notices if watching is Watching.NOTICES else []
        async with (
            background(scanner.run(), *(notice.run(scanner) for notice in heard)),
            ticking(every_s, sweeper.look_again, what="watched files", lease=None, rest=0.0),
            ticking(every_s, sweeper.sweep, what="sweep", lease=turn, rest=0.0),
        ):
            yield


def _unfiled(disk: Source, place: Place, opsdb: OpsDbReader) -> UnfiledSweep:
    after_s = place.settings.scan.unfiled_after.total_seconds()
    return UnfiledSweep(disk.location, disk.root, disk.folders, after_s, opsdb)


SAYS = (
    FilesMissing,
    FilesScanned,
    FilesUnfiled,
)

SERVICE = Service("scanner", SUBSCRIPTIONS, runs_at=runs_at, compose=compose, says=SAYS)
