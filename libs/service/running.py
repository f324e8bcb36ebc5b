"""The life of one instance: connect, compose, consume, until a signal says stop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from faststream import ContextRepo, FastStream

from libs.bus.buckets import heartbeat
from libs.bus.bus import Bus
from libs.service.patience import patiently
from libs.service.service import Place, Runtime, Service, instance_name
from libs.telemetry import tracing
from libs.telemetry.logs import logger


async def run(service: Service, place: Place, *, graceful_s: float = 10.0) -> None:
    """Run until SIGTERM or SIGINT; servers that are away are waited for.

    Args:
        service: What to run.
        place: Where.
        graceful_s: How long a stop waits for what is in hand.
    """
    tracing.configure(service.name, place.site)
    await application(service, place, graceful_s=graceful_s).run()


def application(service: Service, place: Place, *, graceful_s: float = 10.0) -> FastStream:
    """The FastStream application of one instance, not yet started."""
    log = logger("service").bind(service=service.name, site=place.site)
    bus = Bus(
        place.bus_address(),
        site=place.site,
        sites=tuple(place.deployment.sites),
        service=service.name,
        graceful_s=graceful_s,
    )

    @asynccontextmanager
    async def lifespan(_: ContextRepo) -> AsyncIterator[None]:
        log.info("starting")
        await patiently(bus.connect, what="NATS")
        facts = {"service": service.name, "site": place.site, "since": datetime.now(UTC).isoformat()}
        async with service.compose(Runtime(place, bus)):
            await patiently(bus.prepare, what="consumers")
            async with heartbeat(bus.client, place.site, instance_name(service.name), facts):
                log.info("ready")
                yield
                log.info("stopping")
        log.info("stopped")

    return FastStream(bus.broker, lifespan=lifespan, logger=None)
