"""A bus with one handler in a process of its own: to be killed, paused, or to kill itself."""

import asyncio
import os
import pickle
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from libs.bus.provision import provision_consumers
from libs.bus.subscription import Subscription
from tests.support.road import Road

ROOT = Path(__file__).parents[2]

_MAIN = """
import asyncio, os, pickle, signal, sys
from pathlib import Path
from libs.bus.bus import Bus, DeliveryOf
from libs.bus.connection import BusAddress
from libs.errors import Permanent, Postponed, Retriable

{source}

async def main():
    address, site, subscription, folder = pickle.loads(bytes.fromhex(sys.argv[1]))
    global FOLDER
    FOLDER = Path(folder)
    bus = Bus(address, site=site, sites=(site,), service=subscription.service, graceful_s=1.0)
    bus.subscribe(subscription, handle)
    await bus.connect()
    await bus.prepare()
    await bus.broker.start()
    (FOLDER / "ready").touch()
    await asyncio.sleep(3600)

asyncio.run(main())
"""


@asynccontextmanager
async def bus_process(
    road: Road, subscription: Subscription, source: str, folder: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a bus at the telescope's site in a process while the block lasts; what is left of it then is killed.

    Args:
        road: Where.
        subscription: What it hears.
        source: Defines ``async def handle(event, delivery: DeliveryOf)``; ``FOLDER`` is `folder`, to leave marks in.
        folder: In it ``ready`` appears when the bus hears.
    """
    place = road.telescope
    await provision_consumers(
        road.client(place), site=place.site, origins=[place.site], subscriptions=[subscription]
    )
    told = pickle.dumps((place.bus_address(), place.site, subscription, str(folder))).hex()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _MAIN.replace("{source}", source), told), cwd=ROOT, env=os.environ
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()
