"""The verifier's composition."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from contracts.bundles import BundleForwarded, BundleReceived
from contracts.copies import CopyScrubbed
from contracts.packages import PackageCorrupted, PackageFailed, PackageVerified
from contracts.states import LocationType
from libs.errors import UserError
from libs.opsdb.reader import OpsDbReader
from libs.service.background import background
from libs.service.service import Runtime, Service
from libs.service.ticking import ticking
from libs.sites.models import Deployment, S3Location, SiteSettings
from libs.storage.s3 import S3Store
from libs.telemetry.logs import logger
from services.verifier.clearing import EVERY_S, Clearer
from services.verifier.handlers import SUBSCRIPTIONS, VerifierHandlers, subscribe
from services.verifier.pacing import look_every
from services.verifier.remembering import Memory
from services.verifier.scrubbing import Scrubber

log = logger("verifier")


def runs_at(deployment: Deployment, site: str) -> bool:
    """Where bundles arrive, at the end of a route or at a relay, and where an archive is scrubbed."""
    arrives = any(site in (*route.via, route.destination) for route in deployment.routes.values())
    return arrives or bool(scrubbed(deployment.site(site)))


def scrubbed(settings: SiteSettings) -> dict[str, S3Location]:
    """The archives of a site that are scrubbed; inactive ones, too, for what they hold counts as copies."""
    return {
        name: location
        for name, location in settings.locations.items()
        if isinstance(location, S3Location) and location.scrub.active
    }


@asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[None]:
    """Build the verifier's parts beside the clearing of its BUFFERs and the scrubs of its archives."""
    place, bus = runtime.place, runtime.bus
    buffers = place.settings.locations_of(LocationType.BUFFER)
    clearer = Clearer([place.disk(name).path for name in buffers])
    async with runtime.hindsight() as hindsight:
        handlers = VerifierHandlers(
            place=place,
            client=bus.client,
            publisher=bus.publisher,
            breakers=runtime.breakers(),
            memory=Memory(runtime.opsdb, bus.client, place.site),
            hindsight=hindsight,
        )
        subscribe(bus, handlers)
        async with (
            ticking(EVERY_S, clearer.clear, what="damaged arrivals", lease=runtime.lease("clearing")),
            background(_scrubs(runtime)),
        ):
            yield


async def _scrubs(runtime: Runtime) -> None:
    """Scrub the site's archives for ever. Only this waits for ops-db: what arrives is verified without it."""
    archives = scrubbed(runtime.place.settings)
    if not archives:
        return
    async with runtime.opsdb_in_step() as opsdb, AsyncExitStack() as stack:
        for name, archive in archives.items():
            await _scrub(stack, runtime, opsdb, name, archive)
        await asyncio.Event().wait()


async def _scrub(
    stack: AsyncExitStack, runtime: Runtime, opsdb: OpsDbReader, name: str, archive: S3Location
) -> None:
    """Have an archive scrubbed while the stack is open; without keys for it, say so and leave it."""
    place, bus = runtime.place, runtime.bus
    try:
        access = place.s3(name)
    except UserError as missing:
        log.warning("not_scrubbed", location=name, **missing.problem.model_dump())
        return
    scrubber = Scrubber(
        name,
        archive.scrub,
        await stack.enter_async_context(S3Store(access)),
        opsdb=opsdb,
        client=bus.client,
        publisher=bus.publisher,
        breakers=runtime.breakers(),
        site=place.site,
    )
    await stack.enter_async_context(
        ticking(
            look_every(archive.scrub),
            scrubber.scrub,
            what=f"scrub of {name}",
            lease=runtime.lease(f"scrub.{name}"),
            rest=0.0,  # its rate is its rest
        )
    )


SAYS = (
    BundleForwarded,
    BundleReceived,
    CopyScrubbed,
    PackageCorrupted,
    PackageFailed,
    PackageVerified,
)

SERVICE = Service("verifier", SUBSCRIPTIONS, runs_at=runs_at, compose=compose, says=SAYS)
