"""Filing, composed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.associations import ExposureNamed
from contracts.observations import FilesFiled, ObservationFinished, ObservationStarted
from libs.service.http import serve
from libs.service.service import Runtime, Service
from libs.sites.models import Deployment
from libs.telemetry.logs import logger
from services.filing.desk import Desk
from services.filing.handlers import SUBSCRIPTIONS, subscribe
from services.filing.health import Health
from services.filing.http import application
from services.filing.knowledge import Knowledge
from services.filing.logtail import LogTail
from services.filing.registrar import Registrar


def runs_at(deployment: Deployment, site: str) -> bool:
    """Where instruments stand."""
    return bool(deployment.instruments_at(site))


@asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[None]:
    """Listen at once; while the ops-db is away, answer that it is."""
    place, bus = runtime.place, runtime.bus
    tail = LogTail(bus.client, place.site)
    desk, health = Desk(), Health(place.site, tail)
    settings = place.settings.http
    async with serve(application(desk, health), host=settings.host, port=settings.filing_port) as url:
        logger("filing").info("listening", url=url)
        async with runtime.opsdb() as opsdb:
            health.opsdb = opsdb
            desk.registrar = Registrar(
                place.deployment, place.site, bus.publisher, Knowledge(opsdb, tail, place.site)
            )
            subscribe(bus, desk)
            yield


SAYS = (
    ExposureNamed,
    FilesFiled,
    ObservationFinished,
    ObservationStarted,
)

SERVICE = Service("filing", SUBSCRIPTIONS, runs_at=runs_at, compose=compose, says=SAYS)
