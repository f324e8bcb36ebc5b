"""A scenario: load, something that is done to the system meanwhile, rest, and every check."""

import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from rich.console import Console
from rich.text import Text

from libs.bus.connection import connect
from libs.storage.s3 import S3Store
from tests.faults.chance import generator
from tests.faults.checks.everything import rest, verify
from tests.faults.checks.world import Allowed, World
from tests.faults.chronicle import Chronicle, closed, followed
from tests.faults.deployment import ARCHIVES, CENTRE
from tests.faults.ledger import Ledger
from tests.faults.length import is_long
from tests.faults.load import SHORT_REST_S, Pace, observing, usual_pace
from tests.faults.report import WIDTH, Logs, Report
from tests.faults.scientist import studying
from tests.faults.system import System

REST_WITHIN_S = 600.0


@dataclass
class Stage:
    """A system that scenarios play on, one after the other.

    Attributes:
        spoilt: Whether a scenario found something: the next one needs another stage.
        ruined: Whether one broke it on purpose: the next one does, too.
    """

    system: System
    world: World
    spoilt: bool = False
    ruined: bool = False

    @property
    def ledger(self) -> Ledger:
        """What was put into the system."""
        return self.world.ledger

    @property
    def chronicle(self) -> Chronicle:
        """What has happened."""
        return self.world.chronicle


@asynccontextmanager
async def set_up(system: System, s3: str | None = None) -> AsyncIterator[Stage]:
    """Follow a system while the block lasts.

    Args:
        system: It runs.
        s3: The S3 server itself, where the services reach it through something; the same as theirs if left out.
    """
    async with AsyncExitStack() as stack:
        chronicle = await stack.enter_async_context(followed(system))
        clients, stores = {}, {}
        for site, place in system.places.items():
            clients[site] = await connect(place.bus_address(), name="checks")
            stack.push_async_callback(closed, clients[site])
        for archive in ARCHIVES:
            settings = system.places[CENTRE].s3(archive)
            direct = settings.model_copy(update={"endpoint": s3 or settings.endpoint})
            stores[archive] = await stack.enter_async_context(S3Store(direct))
        yield Stage(system, World(system, Ledger(), chronicle, clients, stores))


@dataclass
class Scene:
    """What a scenario has in hand while it plays."""

    stage: Stage
    report: Report
    rng: random.Random
    allowed: Allowed = field(default_factory=Allowed)

    @property
    def system(self) -> System:
        """What things are done to."""
        return self.stage.system

    @property
    def chronicle(self) -> Chronicle:
        """What has happened."""
        return self.stage.chronicle

    @property
    def ledger(self) -> Ledger:
        """What was put into the system."""
        return self.stage.ledger

    def did(self, what: str) -> None:
        """Something was done to the system."""
        self.report.did(what)


@asynccontextmanager
async def loaded(scene: Scene, pace: Pace | None = None) -> AsyncIterator[None]:
    """Let instruments observe and a scientist study while the block lasts."""
    stage, pace = scene.stage, pace or usual_pace()
    if not is_long():
        pace = replace(pace, rest_s=max(pace.rest_s, SHORT_REST_S))
    before = len(stage.ledger.files), len(stage.ledger.jobs)
    async with (
        observing(stage.system, stage.ledger, stage.chronicle, scene.rng, pace),
        studying(stage.system, stage.ledger, stage.chronicle, scene.rng),
    ):
        yield
    more = {"files": len(stage.ledger.files) - before[0], "stagings": len(stage.ledger.jobs) - before[1]}
    scene.report.load = {what: count + scene.report.load.get(what, 0) for what, count in more.items()}


async def check(scene: Scene, within_s: float = REST_WITHIN_S) -> None:
    """Wait for rest and look at everything.

    Raises:
        AssertionError: Something does not hold; the stage is spoilt then.
    """
    world = replace(scene.stage.world, allowed=scene.allowed)
    scene.report.found += await rest(world, within_s)
    if not scene.report.violations:
        scene.report.found += await verify(world)


@asynccontextmanager
async def playing(stage: Stage, report: Report) -> AsyncIterator[Scene]:
    """Play a scenario in the block; whatever ends it early spoils the stage."""
    logs = Logs(stage.system.workdir.logs)
    stage.spoilt = True
    try:
        report.began = time.monotonic()
        yield Scene(stage, report, generator(report.seed))
        report.complete = True
        stage.spoilt = stage.ruined or bool(report.violations)
    finally:
        Console(width=WIDTH, soft_wrap=True).print(
            Text(report.render(logs if report.violations or not report.complete else None))
        )
    assert report.violations == []
