"""The life of one instance: connect, compose, consume, until a signal says stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from libs.bus.buckets import heartbeat
from libs.bus.bus import Bus
from libs.service.background import background
from libs.service.patience import patiently
from libs.service.service import Place, Runtime, Service, instance_name
from libs.service.signals import on_signals, signals_end_it
from libs.telemetry import tracing
from libs.telemetry.logs import logger


async def run(service: Service, place: Place, *, graceful_s: float = 10.0) -> None:
    """Run until SIGTERM or SIGINT; servers that are away are waited for.

    A signal that comes while it waits for them ends it at once, for nothing is in hand.

    Args:
        service: What to run.
        place: Where.
        graceful_s: How long a stop waits for what is in hand.

    Raises:
        asyncio.CancelledError: A signal came before everything was there.
    """
    tracing.configure(service.name, place.site)
    bus, stop = make_bus(service, place, graceful_s=graceful_s), asyncio.Event()
    async with AsyncExitStack() as stack:
        with signals_end_it():
            await stack.enter_async_context(composed(service, place, bus))
        on_signals(stop.set)
        async with consuming(bus):
            await stop.wait()


@asynccontextmanager
async def running(service: Service, place: Place, *, graceful_s: float = 10.0) -> AsyncIterator[Bus]:
    """Run an instance inside the caller's event loop while the block lasts."""
    bus = make_bus(service, place, graceful_s=graceful_s)
    async with composed(service, place, bus), consuming(bus):
        yield bus


@asynccontextmanager
async def consuming(bus: Bus) -> AsyncIterator[None]:
    """Consume while the block lasts.

    FastStream's own application looks ten times a second whether it was stopped; and one that is stopped while it starts
    leaves the subscribers behind that are not there yet, which then consume for ever.
    """
    try:
        await bus.broker.start()
        yield
    finally:
        await bus.broker.stop()


def make_bus(service: Service, place: Place, *, graceful_s: float = 10.0) -> Bus:
    """The bus of one instance, not yet connected."""
    return Bus(
        place.bus_address(),
        site=place.site,
        sites=tuple(place.deployment.sites),
        service=service.name,
        graceful_s=graceful_s,
        redelivery_s=place.redelivery_s,
    )


@asynccontextmanager
async def composed(service: Service, place: Place, bus: Bus) -> AsyncIterator[None]:
    """Everything of an instance but its consuming: connected, composed, subscribed, known to be alive."""
    log = logger("service").bind(service=service.name, site=place.site)
    log.info("starting")
    facts = {"service": service.name, "site": place.site, "since": datetime.now(UTC).isoformat()}
    async with AsyncExitStack() as stack:
        stack.push_async_callback(bus.close)
        await patiently(bus.connect, what="NATS")
        await stack.enter_async_context(background(bus.until_closed()))
        await stack.enter_async_context(service.compose(Runtime(place, bus)))
        await patiently(bus.prepare, what="consumers")
        await stack.enter_async_context(heartbeat(bus.client, place.site, instance_name(service.name), facts))
        log.info("ready")
        yield
        log.info("stopping")
    log.info("stopped")
