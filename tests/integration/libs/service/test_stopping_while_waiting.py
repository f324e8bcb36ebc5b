"""A signal ends a service that still waits for a server."""

import asyncio
import signal
import socket
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from libs.service.service import Place
from tests.support.processes import process_of
from tests.support.road import Road

pytestmark = pytest.mark.integration


def without_postgres(place: Place) -> Place:
    """The place with an ops-db that nobody serves."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    site = place.settings.model_copy(
        update={"opsdb": place.settings.opsdb.model_copy(update={"port": port, "host": "127.0.0.1"})}
    )
    sites = {**place.deployment.sites, place.site: site}
    return replace(place, deployment=place.deployment.model_copy(update={"sites": sites}))


def waits(log: Path) -> bool:
    return b"opsdb_unavailable" in log.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_wait(road: Road, tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "packager.log"
    with log.open("wb") as stdout:
        place = without_postgres(road.telescope)
        async with process_of(road, place, "packager", tmp_path, stdout=stdout) as process:
            await road.eventually(partial(waits, log), within_s=60)
            assert process.returncode is None, "it waits for PostgreSQL"
            process.send_signal(number)
            async with asyncio.timeout(5):
                await process.wait()
