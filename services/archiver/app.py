"""The archiver's composition."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from contracts.copies import CopyRepaired, CopyScrubbed, CopyUnrepairable
from contracts.packages import PackageArchived, PackageCorrupted, PackageFailed
from libs.errors import ChasquiError
from libs.service.archives import open_archives
from libs.service.service import Runtime, Service
from libs.sites.models import Deployment
from libs.storage.s3 import S3Store
from libs.storage.s3_errors import unreachable
from libs.storage.s3_settings import MIB
from libs.telemetry.logs import logger
from services.archiver.archiving import Archive
from services.archiver.arrivals import archives_of, holdings_of
from services.archiver.asking_back import Origin
from services.archiver.fetching import Fetcher
from services.archiver.filling import Filler
from services.archiver.handlers import SUBSCRIPTIONS, ArchiverHandlers, RepairHandlers, subscribe
from services.archiver.logkeeping import keeping_the_log
from services.archiver.repairing import Repairer
from services.archiver.rotten import Rotten

PART_SIZE = 8 * MIB
PARTS_AT_ONCE = 2
"""Parts of one package in memory; with two packages at once the process stays well below 200 MiB."""

LOOK_S = 10.0
"""Longest first look at an archive; one that is silent must not keep the service from the others."""

log = logger("archiver")


def runs_at(deployment: Deployment, site: str) -> bool:
    """Where an archive on S3 is; an inactive one gets nothing more, but what it holds is looked after."""
    return bool(holdings_of(deployment.site(site)))


@asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[None]:
    """Open the archives and build the handlers. An archive that is away is told, and waited for at work."""
    place, bus = runtime.place, runtime.bus
    async with AsyncExitStack() as stack:
        targets: dict[str, Archive] = {}
        for name, settings in holdings_of(place.settings).items():
            sizes = {"part_size": PART_SIZE, "part_concurrency": PARTS_AT_ONCE}
            access = place.s3(name).model_copy(update=sizes)
            store = await stack.enter_async_context(S3Store(access))
            targets[name] = Archive(name, settings, store)
        archives = [targets[name] for name in archives_of(place.settings)]
        for archive in archives:
            await _look_at(archive)
        opsdb = await stack.enter_async_context(runtime.opsdb())
        stores = await stack.enter_async_context(open_archives(place))
        breakers = runtime.breakers()
        fetcher = Fetcher(place=place, stores=stores, breakers=breakers)
        repairer = Repairer(
            place=place,
            targets=targets,
            fetcher=fetcher,
            origin=Origin(opsdb=opsdb, publisher=bus.publisher, place=place),
            opsdb=opsdb,
            client=bus.client,
            breakers=breakers,
        )
        handlers = ArchiverHandlers(
            place=place,
            archives=archives,
            client=bus.client,
            publisher=bus.publisher,
            breakers=breakers,
            rotten=Rotten(opsdb=opsdb, publisher=bus.publisher, site=place.site),
            filler=Filler(place=place, archives=archives, fetcher=fetcher),
            repairer=repairer,
            hindsight=await stack.enter_async_context(runtime.hindsight()),
        )
        subscribe(bus, handlers, RepairHandlers(opsdb=opsdb, repairer=repairer))
        await stack.enter_async_context(keeping_the_log(runtime, archives))
        yield


async def _look_at(archive: Archive) -> None:
    try:
        await _checked(archive)
    except ChasquiError as error:
        log.warning("archive_unusable", archive=archive.location, **error.problem.model_dump())


async def _checked(archive: Archive) -> None:
    try:
        async with asyncio.timeout(LOOK_S):
            await archive.store.check_bucket()
    except TimeoutError as error:
        raise unreachable(f"look for the bucket at {archive.settings.endpoint}", error) from error


SAYS = (
    CopyRepaired,
    CopyScrubbed,
    CopyUnrepairable,
    PackageArchived,
    PackageCorrupted,
    PackageFailed,
)

SERVICE = Service("archiver", SUBSCRIPTIONS, runs_at=runs_at, compose=compose, says=SAYS)
