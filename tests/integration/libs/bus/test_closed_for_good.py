"""A server that takes a client's password no more: the service ends, for it would be deaf for ever."""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from contracts.base import Event
from contracts.observations import ObservationStarted
from libs.bus.bus import Bus
from libs.bus.connection import BusAddress, connected
from libs.bus.provision import provision_consumers, provision_streams
from libs.bus.subscription import Subscription
from libs.embedded.nats import EmbeddedNats
from libs.errors import Retriable

pytestmark = pytest.mark.integration
LISTEN = Subscription("tester", "listen", (ObservationStarted,))
SITE = "chile"


async def handle(_: ObservationStarted) -> Sequence[Event]:
    return []


def take_another_password(server: EmbeddedNats) -> None:
    """As an operator does who changes it: in the configuration, which the server reads again."""
    configuration = server.folder / "nats.conf"
    configuration.write_text(configuration.read_text().replace(server.password, "another"))
    for pid in server.pids:
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            if process.name() == "nats-server":
                os.kill(process.pid, signal.SIGHUP)


async def test_it_is_noticed_at_once_and_said_with_a_remedy(tmp_path: Path) -> None:
    server = await EmbeddedNats(tmp_path / "nats", name="own").start()
    try:
        address = BusAddress(server.url, server.user, server.password)
        async with connected(address, name="maker") as maker:
            await provision_streams(maker, site=SITE)
            await provision_consumers(maker, site=SITE, origins=[SITE], subscriptions=[LISTEN])
        bus = Bus(address, site=SITE, sites=(SITE,), service="tester")
        bus.subscribe(LISTEN, handle)
        await bus.connect()
        await bus.prepare()
        await bus.broker.start()
        take_another_password(server)
        with pytest.raises(Retriable, match="Authorization") as caught:
            async with asyncio.timeout(90):
                await bus.until_closed()
        assert caught.value.problem.code == "bus_closed"
        await bus.broker.stop()
        await bus.close()
    finally:
        await server.stop()
