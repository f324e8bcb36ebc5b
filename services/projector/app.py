"""Composition of the projector. It hears every event and keeps its own positions, so it has no consumers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.problems import Problem
from libs.bus.letters import DeadMessage
from libs.bus.reading import StoredMessage
from libs.opsdb.rebuild import LogStream
from libs.service.background import background
from libs.service.service import Runtime, Service
from libs.sites.models import Deployment
from services.projector.projecting import Projector, spare_the_collector


def runs_at(deployment: Deployment, site: str) -> bool:
    """Every site has an ops-db of its own."""
    return site in deployment.sites


@asynccontextmanager
async def compose(runtime: Runtime) -> AsyncIterator[None]:
    """Project in a task of its own while the service lives."""
    letters = runtime.bus.letters

    async def bury(message: StoredMessage, problem: Problem) -> None:
        letter = DeadMessage(
            subject=message.subject,
            data=message.data,
            headers=message.headers,
            stream=message.stream,
            sequence=message.sequence,
            attempts=1,
        )
        await letters.bury(letter, problem, handler="project")

    projector = Projector(
        runtime.bus.client,
        runtime.place.opsdb_writer_dsn(),
        [LogStream(name) for name in runtime.place.streams],
        bury,
    )
    spare_the_collector()
    async with background(projector.run()):
        yield


SERVICE = Service("projector", (), runs_at, compose)
