"""Services in processes of their own, to be killed."""

import multiprocessing
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.context import SpawnProcess

from commands.child import Task, main
from commands.services import load
from libs.bus.provision import provision_consumers
from libs.service.service import Place
from tests.support.road import Road


@asynccontextmanager
async def victim(road: Road, place: Place, service: str) -> AsyncIterator[SpawnProcess]:
    """Run a service of a site in a process while the block lasts; what is left of it then is killed."""
    await provision_consumers(
        road.client(place),
        site=place.site,
        origins=tuple(place.deployment.sites),
        subscriptions=load(service).subscriptions_at(place),
    )
    process = multiprocessing.get_context("spawn").Process(target=main, args=(Task(service, place),))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join(10)
        process.close()
