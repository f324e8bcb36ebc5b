"""Filing, composed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from contracts.associations import ExposureNamed
from contracts.observations import FilesFiled, ObservationFinished, ObservationStarted
from contracts.skynet.assets import AssetRegistered, AssetTransferRequested
from contracts.skynet.cameras import CameraRegistered
from contracts.skynet.tasks import (
    TaskAssetsChanged,
    TaskAssigned,
    TaskCanceled,
    TaskCompleted,
    TaskExpired,
    TaskFailed,
    TaskFiled,
    TaskInterrupted,
    TaskProgressed,
    TaskResumed,
    TaskStarted,
)
from libs.opsdb.reader import OpsDbReader
from libs.service.http import serve
from libs.service.service import Runtime, Service
from libs.sites.models import Deployment
from libs.skynet.rendering import Debounce
from libs.telemetry.logs import logger
from services.filing.desk import Desk, Registrars
from services.filing.handlers import SUBSCRIPTIONS, subscribe
from services.filing.health import Health
from services.filing.http import application
from services.filing.knowledge import Knowledge
from services.filing.logtail import LogTail
from services.filing.network import NetworkRegistrar
from services.filing.network_view import NetworkKnowledge
from services.filing.registrar import Registrar
from services.filing.settling import Settler


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
            desk.registrars = _registrars(runtime, opsdb, tail)
            subscribe(bus, desk)
            yield


def _registrars(runtime: Runtime, opsdb: OpsDbReader, tail: LogTail) -> Registrars:
    place, bus, settler = runtime.place, runtime.bus, Settler()
    files = Knowledge(opsdb, tail, place.site)
    return Registrars(
        observations=Registrar(place.deployment, place.site, bus.publisher, files, settler),
        network=NetworkRegistrar(
            place.site,
            bus.publisher,
            NetworkKnowledge(opsdb, bus.client, place.site, files),
            settler,
            now=lambda: datetime.now(UTC),
            debounce=Debounce(),
        ),
    )


SAYS = (
    ExposureNamed,
    FilesFiled,
    ObservationFinished,
    ObservationStarted,
    TaskFiled,
    TaskAssigned,
    TaskStarted,
    TaskProgressed,
    TaskCompleted,
    TaskFailed,
    TaskExpired,
    TaskInterrupted,
    TaskResumed,
    TaskCanceled,
    TaskAssetsChanged,
    AssetRegistered,
    AssetTransferRequested,
    CameraRegistered,
)

SERVICE = Service("filing", SUBSCRIPTIONS, runs_at=runs_at, compose=compose, says=SAYS)
