"""A scientist who brings archived observations back, compares every byte, and gives them up again."""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import httpx

from commands.demo.restoring import request_staging
from contracts.staging import StagingCompleted
from libs.ending import end
from libs.errors import ChasquiError, Permanent, Retriable
from libs.service.patience import patiently
from tests.faults.chance import generator
from tests.faults.chronicle import Chronicle
from tests.faults.deployment import ARCHIVES, PROCESSING
from tests.faults.ledger import Job, Ledger, Observation, sha256_of
from tests.faults.system import System

STAGED_WITHIN_S = 600.0
"""Whatever happens: it may wait for a breaker, and S3 may be silent for a minute, several times."""


class Scientist:
    """Stages what is archived, one job after the other.

    Args:
        system: Where.
        ledger: What must come back.
        chronicle: What has happened.
        rng: Decides what is brought back.
    """

    def __init__(self, system: System, ledger: Ledger, chronicle: Chronicle, rng: random.Random) -> None:
        self._system = system
        self._ledger = ledger
        self._chronicle = chronicle
        self._rng = rng

    async def work_until(self, stop: asyncio.Event) -> None:
        """One job after the other."""
        while not stop.is_set():
            if archived := [one for one in self._ledger.observations.values() if self._is_archived(one)]:
                await self._try(self._rng.sample(archived, min(2, len(archived))))
            await asyncio.sleep(self._rng.uniform(0.2, 1.0))

    async def _try(self, observations: list[Observation]) -> None:
        try:
            await self.bring_back(observations)
        except (ChasquiError, AssertionError) as error:
            self._ledger.complaints.append(f"staging: {error}")

    async def bring_back(self, observations: list[Observation]) -> None:
        """Stage, compare, release."""
        job = await self.ask(observations)
        await self.compare(job, observations)
        await self.release(job)

    async def ask(self, observations: list[Observation]) -> Job:
        """Ask for observations."""
        units = [one.id for one in observations]
        job = Job(await request_staging(self._system.gateway, units), tuple(units))
        self._ledger.jobs[job.id] = job
        return job

    async def compare(self, job: Job, observations: list[Observation]) -> Path:
        """Wait until a job is complete, and compare all of it; its folder.

        Raises:
            Permanent: It failed.
        """
        await self._chronicle.until(
            lambda: job.id in self._chronicle.staged, f"staging job {job.id}", STAGED_WITHIN_S
        )
        outcome = self._chronicle.staged[job.id]
        if not isinstance(outcome, StagingCompleted):
            raise Permanent(outcome.problem.code, outcome.problem.reason, outcome.problem.remedy)
        folder = self._system.disk(PROCESSING) / outcome.folder
        self._ledger.complaints += await asyncio.to_thread(differences, folder, observations)
        return folder

    async def release(self, job: Job) -> None:
        """Give a job's copies up."""
        await patiently(lambda: self._release(job.id), what="release")
        job.released = True

    async def _release(self, job: UUID) -> None:
        async with httpx.AsyncClient(base_url=self._system.gateway, timeout=30) as http:
            try:
                answer = await http.post(f"/staging/{job}/release")
            except httpx.TransportError as error:
                raise Retriable("gateway_unreachable", repr(error), "It is tried again.") from error
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            raise Retriable("gateway_not_ready", answer.text, "It is tried again.")
        if not answer.is_success:
            raise Permanent("release_refused", answer.text, "See the gateway's log.")

    def _is_archived(self, one: Observation) -> bool:
        return bool(one.finished and one.files) and all(
            file.id is not None and self._chronicle.is_archived(file.id, ARCHIVES) for file in one.files
        )


def differences(folder: Path, observations: list[Observation]) -> list[str]:
    """What is not in a staged folder as its instrument wrote it, or should not be there at all; blocking."""
    expected = {f"{one.instrument}/{file.path}": file for one in observations for file in one.files}
    found = {
        os.path.relpath(os.path.join(top, name), folder)  # noqa: PTH118 - names need no normalising
        for top, _, names in os.walk(folder)
        for name in names
    }
    told = [f"staged {folder.name}: {path!r} should not be there" for path in found - expected.keys()]
    told += [f"staged {folder.name}: {path!r} did not come back" for path in expected.keys() - found]
    for path in found & expected.keys():
        file, at = expected[path], folder / path
        facts = at.lstat()
        if (facts.st_size, facts.st_mtime_ns, sha256_of(at)) != (file.size, file.mtime_ns, file.sha256):
            told.append(f"staged {folder.name}: {path!r} came back with other bytes or another time")
    return told


@asynccontextmanager
async def studying(
    system: System, ledger: Ledger, chronicle: Chronicle, rng: random.Random
) -> AsyncIterator[Scientist]:
    """Let a scientist work while the block lasts; the job in hand is finished."""
    stop = asyncio.Event()
    scientist = Scientist(system, ledger, chronicle, generator(rng.random()))
    task = asyncio.create_task(scientist.work_until(stop))
    try:
        yield scientist
        stop.set()
        async with asyncio.timeout(STAGED_WITHIN_S):
            await task
    finally:
        await end(task)
