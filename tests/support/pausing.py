"""Services that are paused in the middle of their work, and overtaken."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from contracts.base import Event
from libs.service.service import Place
from libs.sites.models import ClaimSettings
from libs.storage.s3 import S3Store
from tests.support.processes import process_of
from tests.support.road import Road

REDELIVERY_S = 2.0
LEASE_S = 3.0


def hurried(road: Road, *, lease_s: float = LEASE_S) -> Road:
    """The same road, on which work is taken soon from an instance that makes no sign."""
    claims = ClaimSettings(redelivery=timedelta(seconds=REDELIVERY_S), lease=timedelta(seconds=lease_s))
    deployment = road.telescope.deployment
    sites = {
        name: settings.model_copy(update={"claims": claims}) for name, settings in deployment.sites.items()
    }
    deployment = deployment.model_copy(update={"sites": sites})
    return replace(
        road,
        telescope=replace(road.telescope, deployment=deployment),
        centre=replace(road.centre, deployment=deployment),
    )


def pause(process: asyncio.subprocess.Process) -> None:
    """Stop a process where it is."""
    process.send_signal(signal.SIGSTOP)


def wake(process: asyncio.subprocess.Process) -> None:
    """Let it go on."""
    process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def rest_of_the_road(road: Road, *without: str) -> AsyncIterator[None]:
    """Everything that carries packages from the telescope to the archive and clears up behind, but some services."""
    telescope = ("projector", "packager", "bundler", "mover", "janitor")
    centre = ("projector", "verifier", "archiver", "janitor")
    async with AsyncExitStack() as stack:
        for place, services in ((road.telescope, telescope), (road.centre, centre)):
            wanted = [name for name in services if name not in without]
            await stack.enter_async_context(road.running(place, *wanted))
        yield


@asynccontextmanager
async def instance(
    road: Road, place: Place, service: str, folder: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """One instance of a service in a process of its own; instances of one test have folders of their own."""
    await asyncio.to_thread(folder.mkdir)
    async with process_of(road, place, service, folder) as process:
        yield process


@dataclass(frozen=True, slots=True)
class Sleeper:
    """An instance that stops itself, with SIGSTOP, in the middle of its work.

    Attributes:
        process: It.
        log: What it says.
    """

    road: Road
    process: asyncio.subprocess.Process
    log: Path

    async def sleeps(self) -> None:
        """Wait until it stands still where it was to stop itself."""

        def stands() -> bool:
            return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

        await self.road.eventually(stands, within_s=60, what="its standstill")

    async def wakes_and_leaves_its_work(self) -> None:
        """Let it go on until its handler has ended and it says that a successor has the work; then end it."""
        wake(self.process)
        await self.road.eventually(
            lambda: b"left_to_a_successor" in self.log.read_bytes(), within_s=60, what="its giving way"
        )
        self.process.terminate()
        async with asyncio.timeout(60):
            assert await self.process.wait() == 0


@asynccontextmanager
async def sleeper(
    road: Road, place: Place, service: str, folder: Path, *, stops_at: str
) -> AsyncIterator[Sleeper]:
    """One instance of a service in a process of its own, which stops itself at a function (see `process_of`)."""
    await asyncio.to_thread(folder.mkdir)
    log = folder / "log"
    try:
        with log.open("wb") as out:
            async with process_of(road, place, service, folder, stops_at=stops_at, stdout=out) as process:
                yield Sleeper(road, process, log)
    finally:
        sys.stdout.write(log.read_text())


async def contents_said(road: Road, place: Place, kind: type[Event]) -> set[str]:
    """The different contents of all events of a kind at a site."""
    return {event.model_dump_json() for event in await road.events_of(place, kind)}


def files_in(folder: Path) -> list[str]:
    """Everything in a folder that is a file, partial ones included."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


async def archived(road: Road) -> tuple[list[str], list[str]]:
    """The keys of the archive's objects, and those of its unfinished uploads."""
    async with S3Store(road.centre.s3(f"{road.centre.site}-archive")) as store:
        return [found.key async for found in store.list()], [key async for key in store.unfinished()]
