"""The packager's composition."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.copies import CopyRepaired, CopyUnrepairable
from contracts.files import FilesAssigned, FilesPackaged, FilesRefused
from contracts.packages import PackageAbandoned, PackagePlanned, PackageSealed
from contracts.states import LocationType
from libs.bus.guard import Guard
from libs.service.service import Runtime, Service
from libs.sites.models import Deployment
from services.packager.assigning import Planner
from services.packager.half_said import HalfSaid
from services.packager.handlers import SUBSCRIPTIONS, PackagerHandlers, subscribe
from services.packager.mending import Mender


def runs_at(deployment: Deployment, site: str) -> bool:
    """Where instruments stand and packages can be put."""
    buffers = deployment.site(site).locations_of(LocationType.BUFFER)
    return bool(deployment.instruments_at(site)) and bool(buffers)


@asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[None]:
    """Build the packager's parts around an open ops-db."""
    place, bus = runtime.place, runtime.bus
    publisher = bus.publisher
    async with runtime.opsdb_in_step() as opsdb:
        planner = Planner(
            opsdb=opsdb,
            publisher=publisher,
            assigned=Guard(bus.client, publisher, site=place.site, event=FilesAssigned),
            planned=Guard(bus.client, publisher, site=place.site, event=PackagePlanned),
            deployment=place.deployment,
            site=place.site,
        )
        breakers = runtime.breakers()
        handlers = PackagerHandlers(
            opsdb=opsdb,
            planner=planner,
            mender=Mender(opsdb=opsdb, place=place, client=bus.client, breakers=breakers),
            place=place,
            client=bus.client,
            breakers=breakers,
            half_said=HalfSaid(
                opsdb=opsdb,
                packaged=Guard(bus.client, publisher, site=place.site, event=FilesPackaged),
                site=place.site,
            ),
        )
        subscribe(bus, handlers)
        yield


SAYS = (
    CopyRepaired,
    CopyUnrepairable,
    FilesAssigned,
    FilesPackaged,
    FilesRefused,
    PackageAbandoned,
    PackagePlanned,
    PackageSealed,
)

SERVICE = Service("packager", SUBSCRIPTIONS, runs_at=runs_at, compose=compose, says=SAYS)
