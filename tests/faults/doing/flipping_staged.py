"""One bit turned in PROCESSING: while a job is done, and when it is complete."""

import asyncio
import json
import os
from contextlib import suppress
from io import StringIO
from pathlib import Path
from uuid import UUID

from rich.console import Console

from commands.check import check
from commands.reaching import Gateway
from contracts.states import WorkState
from libs.storage.partial_trees import tree_tries_among
from tests.faults.deployment import ARCHIVES, PROCESSING
from tests.faults.doing.flipping import flip, observed, written
from tests.faults.doing.killing import running
from tests.faults.doing.pausing import stopped
from tests.faults.ledger import Job, Observation
from tests.faults.scenario import Scene
from tests.faults.scientist import Scientist

SIZES = (30_000_000, 1000)
STAGER = "stager@cologne"
TRIES = 20
"""Jobs until one is caught while its package is unpacked, on a machine that is busy with much else."""

KNOWN_WITHIN_S = 240.0


async def flip_in_staging(scene: Scene) -> None:
    """While a package is unpacked: fetched again before the job is complete. Later: named to whoever asks."""
    observation = await observed(scene, sizes=SIZES)
    ids = [file.id for file in observation.files if file.id]
    await scene.chronicle.until(
        lambda: all(scene.chronicle.is_archived(one, ARCHIVES) for one in ids), "the archives"
    )
    scientist = Scientist(scene.system, scene.ledger, scene.chronicle, scene.rng)
    log = scene.system.workdir.logs / "cologne-stager.log"
    before = log.stat().st_size
    job = await _flipped_while_unpacked(scene, scientist, observation)
    folder = await scientist.compare(job, [observation])
    assert b"staged_copy_damaged" in (await asyncio.to_thread(log.read_bytes))[before:]
    scene.did("it was found, and fetched again before the job was complete")
    await _flip_when_complete(scene, job, folder, observation)
    await scientist.release(job)


async def _flipped_while_unpacked(scene: Scene, scientist: Scientist, observation: Observation) -> Job:
    """A job in which a bit was turned: in the first file, when it was written, and before it had its place."""
    staging = scene.system.disk(PROCESSING) / "staging"
    for _ in range(TRIES):
        pids = await running(scene, STAGER)
        job = await scientist.ask([observation])
        growing = await _growing_file(scene, staging, job.id)
        if growing is not None:
            with stopped(pids):
                # Stopped now: what has not got its place yet cannot have been read back.
                if growing.exists():
                    flip(growing, scene.rng, 4096)
                    scene.did("a bit is turned in PROCESSING, while a package is unpacked")
                    return job
        await scientist.compare(job, [observation])
        await scientist.release(job)
    raise AssertionError(f"{TRIES} jobs were all too quick")


async def _growing_file(scene: Scene, staging: Path, job: UUID) -> Path | None:
    """A file that is being unpacked for a job, once some of it is written; None if the job is over."""
    async with asyncio.timeout(KNOWN_WITHIN_S):
        while job not in scene.chronicle.staged:
            if (found := await asyncio.to_thread(_growing, staging, job)) is not None:
                return found
            await asyncio.sleep(0.002)
    return None


def _growing(staging: Path, job: UUID) -> Path | None:
    with suppress(FileNotFoundError):
        names = [path.name for path in staging.iterdir()]
        for attempt in tree_tries_among(names, str(job)):
            for top, _, files in os.walk(staging / attempt):
                for path in (Path(top, name) for name in files):
                    if written(path) > 1 << 20:
                        return path
    return None


async def _flip_when_complete(scene: Scene, job: Job, folder: Path, observation: Observation) -> None:
    file = scene.rng.choice(observation.files)
    await _known_as_complete(scene, job)
    assert await _checked(scene, job) == (0, [])
    flip(folder / observation.instrument / file.path, scene.rng)
    scene.did("a bit is turned in PROCESSING, after the job was complete")
    assert await _checked(scene, job) == (1, [f"{observation.instrument}/{file.path} is damaged"])
    scene.did("chasqui check names the file")


async def _known_as_complete(scene: Scene, job: Job) -> None:
    """The log has it; ops-db, which commands ask, a little later."""
    gateway = Gateway(scene.system.gateway)
    async with asyncio.timeout(KNOWN_WITHIN_S):
        while True:
            if (await gateway.ask("GET", f"/staging/{job.id}"))["state"] == WorkState.COMPLETED:
                return
            await asyncio.sleep(0.1)


async def _checked(scene: Scene, job: Job) -> tuple[int, list[str]]:
    out = StringIO()
    status = await check(scene.system.workdir, str(job.id), as_json=True, console=Console(file=out))
    return status, [f"{one['path']} is {one['standing']}" for one in json.loads(out.getvalue())["not_whole"]]
