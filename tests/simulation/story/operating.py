"""The processes of all sites, and the supervisor that starts again what has died."""

import asyncio
from contextvars import copy_context
from typing import Any

from commands.services import NAMES, load
from libs.service.service import Runtime, Service
from tests.simulation.bus.deliveries import SimulatedBus, unplanned
from tests.simulation.kernel.loop import CURRENT
from tests.simulation.kernel.processes import Process
from tests.simulation.sites import places_of
from tests.simulation.world import World

NOT_SIMULATED = {"renderer", "gateway", "associator"}
"""They keep nothing and delete nothing: pictures are made from files, the page shows what others say, and associations
are lists."""

SIMULATED = tuple(name for name in NAMES if name not in NOT_SIMULATED)

COMPETING = {"packager", "bundler", "archiver", "verifier", "filing", "projector"}
"""Of these a history may have two instances at a site."""

START_AGAIN_S = 1.0


class Operator:
    """Runs the services of all sites.

    Args:
        world: Where.
        instances: How many instances of those that may compete.
    """

    def __init__(self, world: World, instances: int) -> None:
        self.world = world
        self.running: dict[str, tuple[Process, SimulatedBus]] = {}
        self._instances = instances
        self._count = 0

    def provision(self) -> None:
        """Make the consumers of every service that runs at a site."""
        for name in SIMULATED:
            service = load(name)
            for site, server in self.world.servers.items():
                if service.runs_at(self.world.deployment, site):
                    for subscription in service.subscriptions:
                        server.provision(subscription)

    def start_all(self) -> None:
        """Start every service at every site that needs it."""
        for name in SIMULATED:
            service = load(name)
            for site in self.world.servers:
                if service.runs_at(self.world.deployment, site):
                    for number in range(self._instances if name in COMPETING else 1):
                        self.start(service, site, f"{name}.{number + 1}@{site}")

    def start(self, service: Service, site: str, name: str) -> None:
        """Start one instance, and start it again whenever it has died."""
        self._count += 1
        process = Process(f"{name}#{self._count}", site, self.world.latency)
        self.world.processes.append(process)
        context = copy_context()
        context.run(CURRENT.set, process)
        bus = SimulatedBus(self.world, process, service.name)
        self.running[name] = (process, bus)
        task = self.world.loop.create_task(self._life(service, bus), context=context)
        task.add_done_callback(lambda _: self._ended(service, name, process, bus, task))

    async def _life(self, service: Service, bus: SimulatedBus) -> None:
        runtime = Runtime(places_of(self.world.layout)[bus.site], bus)  # type: ignore[arg-type]  # stands in for it
        await self.world.trip(f"start {service.name}")
        async with service.compose(runtime):
            bus.consume()
            await asyncio.get_running_loop().create_future()

    def _ended(
        self, service: Service, name: str, process: Process, bus: SimulatedBus, task: "asyncio.Task[None]"
    ) -> None:
        bus.leave()
        if not task.cancelled() and (error := task.exception()) is not None and process.alive:
            if unplanned(error):
                self.world.surprise(process.name, error)
            self.world.tell("died", process.name, type(error).__name__)
        process.kill()
        if not self.world.over:
            self.world.outside(START_AGAIN_S, lambda: self.start(service, bus.site, name))

    def desks(self, site: str) -> list[tuple[Process, Any]]:
        """The filing desks of a site that are open, with their processes."""
        return [
            (process, bus.desk)
            for process, bus in self.running.values()
            if process.alive and process.site == site and bus.desk is not None
        ]
