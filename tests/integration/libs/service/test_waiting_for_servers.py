"""Servers that are down when a service starts, or go away while it runs, are waited for."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from commands.services import load
from contracts.observations import ObservationStarted
from libs.embedded.postgres import EmbeddedPostgres
from libs.opsdb.migrating import migrate
from libs.service.running import running
from libs.service.service import Place
from libs.sites.models import Deployment
from tests.support.road import Road, database_of
from tests.support.servers import READER, READER_PASSWORD, WRITER, WRITER_PASSWORD

pytestmark = pytest.mark.integration


def with_postgres(deployment: Deployment, host: str, port: int) -> Deployment:
    sites = {
        name: site.model_copy(update={"opsdb": site.opsdb.model_copy(update={"host": host, "port": port})})
        for name, site in deployment.sites.items()
    }
    return deployment.model_copy(update={"sites": sites})


async def own_postgres(road: Road, folder: Path) -> tuple[EmbeddedPostgres, Place]:
    """A PostgreSQL server of this test alone, made ready and stopped, and the telescope's place with it."""
    server = EmbeddedPostgres(folder / "postgres")
    await server.start()
    host, port = server.host, server.port
    place = replace(road.telescope, deployment=with_postgres(road.telescope.deployment, host, port))
    await server.ensure_role(READER, READER_PASSWORD)
    await server.ensure_database(database_of(place.site), WRITER, WRITER_PASSWORD)
    await migrate(place.opsdb_writer_dsn(), reader=READER)
    await server.stop()
    return server, place


async def test_postgres_down_at_start(road: Road, tmp_path: Path) -> None:
    server, place = await own_postgres(road, tmp_path)
    unit = uuid4()

    async def live() -> None:
        async with running(load("projector"), place):
            await asyncio.sleep(3600)

    service = asyncio.create_task(live())
    await road.publisher(road.telescope).publish(
        [
            ObservationStarted(
                executed_obs_unit_id=unit, instrument="camera", start_time=datetime(2026, 3, 1, tzinfo=UTC)
            )
        ]
    )
    await asyncio.sleep(1.5)
    assert not service.done(), "the service gave up while PostgreSQL was down"
    await server.start()

    async def projected() -> bool:
        connection = await asyncpg.connect(place.opsdb_dsn())
        try:
            return bool(await connection.fetchval("SELECT 1 FROM executed_obs_unit WHERE id = $1", unit))
        finally:
            await connection.close()

    await road.eventually(projected, what="the projection after PostgreSQL came")
    service.cancel()
    await asyncio.gather(service, return_exceptions=True)
    await server.stop()


async def test_a_reader_of_opsdb_waits_for_it(road: Road, tmp_path: Path) -> None:
    server, place = await own_postgres(road, tmp_path)
    ready = asyncio.Event()

    async def live() -> None:
        await provision(road, place)
        async with running(load("projector"), place), running(load("packager"), place):
            ready.set()
            await asyncio.sleep(3600)

    task = asyncio.create_task(live())
    await asyncio.sleep(1.5)
    assert not task.done()
    assert not ready.is_set()
    await server.start()
    await asyncio.wait_for(ready.wait(), 20)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await server.stop()


async def provision(road: Road, place: Place) -> None:
    from libs.bus.provision import provision_consumers

    await provision_consumers(
        road.client(road.telescope),
        site=place.site,
        origins=tuple(place.deployment.sites),
        subscriptions=load("packager").subscriptions,
    )
