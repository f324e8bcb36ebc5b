"""Services in processes of their own, to be killed."""

import multiprocessing
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.context import ForkServerProcess

from commands.child import Task, main
from commands.services import load
from commands.supervising import PRELOAD
from libs.bus.provision import provision_consumers
from libs.service.service import Place
from tests.support.road import Road


@asynccontextmanager
async def victim(road: Road, place: Place, service: str) -> AsyncIterator[ForkServerProcess]:
    """Run a service of a site in a process while the block lasts; what is left of it then is killed."""
    await provision_consumers(
        road.client(place),
        site=place.site,
        origins=tuple(place.deployment.sites),
        subscriptions=load(service).subscriptions_at(place),
    )
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    process = context.Process(target=main, args=(Task(service, place, supervisor=os.getpid()),))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join(10)
        process.close()
