"""Scientists: they ask for archived data, and give it back."""

import asyncio
from random import Random
from uuid import UUID

from contracts.base import Event
from contracts.staging import ReleaseReason, RequestStaging, Selection, StagingReleased, StagingRequested
from contracts.states import FileState, PackageState
from libs.bus.publishing import EventPublisher
from libs.errors import Retriable
from services.gateway.placing import choose_location, folder_of, name_job
from tests.simulation.bus.client import SimulatedClient
from tests.simulation.chaos import Fault
from tests.simulation.sites import PROCESSING
from tests.simulation.story.truth import Truth
from tests.simulation.world import World


class Scientist:
    """Asks the gateway of the site where data is processed; the gateway's decisions are the real ones.

    Args:
        world: Where.
        truth: Where it is written down what was asked for.
    """

    def __init__(self, world: World, truth: Truth) -> None:
        self.busy = 0
        self._world = world
        self._truth = truth
        self._chance = Random(f"{world.seed}:scientists")
        self._site, _ = world.deployment.location(PROCESSING)
        client = SimulatedClient(world, self._site)
        self._publisher = EventPublisher(client, site=self._site, service="gateway")  # type: ignore[arg-type]

    def work(self) -> None:
        """Ask for something, if this scientist is awake in this history."""
        if self._chance.random() < 0.7:
            self.busy = 1
            self._world.loop.create_task(self._job(), context=self._world.loop.outside_context)

    async def _job(self) -> None:
        await asyncio.sleep(5.0 + self._chance.random() * 40.0)
        selection = await self._something()
        if selection is not None:
            await self._stage(selection)
        self.busy = 0

    async def _something(self) -> Selection | None:
        """What is archived, or on its way there, as the page of the site shows it."""
        for _ in range(20):
            tables = self._world.databases[self._site].tables
            states = (PackageState.ARCHIVED, PackageState.WAITING, PackageState.TRANSFERRING)
            packages = [row for row in tables["raw_data_package"].values() if row["state"] in states]
            if packages:
                chosen = packages[int(self._chance.random() * len(packages))]
                return self._selection(chosen["id"], chosen["executed_obs_unit_id"])
            await asyncio.sleep(5.0)
        return None

    def _selection(self, package: object, unit: object) -> Selection:
        assert isinstance(package, UUID)
        tables = self._world.databases[self._site].tables
        files = [
            row["id"]
            for row in tables["raw_data_file"].values()
            if row["raw_data_package_id"] == package and row["state"] == FileState.PACKAGED
        ]
        match self._chance.choice(("package", "file", "unit")):
            case "file" if files and isinstance(files[0], UUID):
                return Selection(file_ids=(files[0],))
            case "unit" if isinstance(unit, UUID) and (unit,) in tables["executed_obs_unit"]:
                return Selection(executed_obs_unit_ids=(unit,))
            case _:
                return Selection(package_ids=(package,))

    async def _stage(self, selection: Selection) -> None:
        keep = self._chance.choice((None, 10.0, 200.0))
        request = RequestStaging(selection=selection, requested_by="scientist", keep_for_s=keep)
        now = self._world.wall_clock(self._site)
        job = name_job(request, self._site, None, now)
        location = choose_location(self._world.deployment, self._site, None)
        self._truth.jobs[job] = False
        await self._say(
            StagingRequested(
                job_id=job,
                selection=selection,
                requested_by=request.requested_by,
                requested_at=now,
                location=location,
                folder=folder_of(job),
                keep_for_s=keep,
            )
        )
        await asyncio.sleep(self._chance.random() * 30.0)
        self._truth.jobs[job] = True
        reason = ReleaseReason.RELEASED
        await self._say(StagingReleased(job_id=job, location=location, folder=folder_of(job), reason=reason))

    async def _say(self, event: Event) -> None:
        while True:
            try:
                await self._publisher.publish([event])
            except Retriable:
                await asyncio.sleep(2.0)
            else:
                break
        if self._world.strikes(Fault.REPEATS, type(event).__name__):
            await asyncio.sleep(1.0)
            await self._say(event)
