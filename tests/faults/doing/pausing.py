"""SIGSTOP of services until long after their claims and leases are over, while others do their work; then SIGCONT."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress

from libs.bus.leases import LEASE_S
from tests.faults.doing.killing import running
from tests.faults.scenario import Scene
from tests.support.machine import chasqui

BEYOND_LEASE_S = LEASE_S + 3.0
ALONE = ("filing", "gateway")
"""Services that a machine runs once: they have a port."""

READY_WITHIN_S = 240.0


@asynccontextmanager
async def second_instances(scene: Scene, names: Sequence[str]) -> AsyncIterator[None]:
    """Run one more instance of each service while the block lasts."""
    logs = scene.system.workdir.logs
    started: list[subprocess.Popen[str]] = []
    try:
        for name in names:
            service, site = name.split("@")
            with (logs / f"second-{site}-{service}.log").open("ab") as log:
                words = ("run", service, "--site", site, "--workdir", str(scene.system.workdir.path))
                started.append(chasqui(*words, stdout=log, stderr=log))
        for name in names:
            await _ready(scene, name)
        scene.did(f"a second instance: {' '.join(names)}")
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            await asyncio.to_thread(process.wait, READY_WITHIN_S)


async def _ready(scene: Scene, name: str) -> None:
    service, site = name.split("@")
    log = scene.system.workdir.logs / f"second-{site}-{service}.log"
    async with asyncio.timeout(READY_WITHIN_S):
        while True:
            if b'"ready"' in await asyncio.to_thread(log.read_bytes):
                return
            await asyncio.sleep(0.1)


async def pause(scene: Scene, names: Sequence[str], seconds: float = BEYOND_LEASE_S) -> None:
    """Stop these services for so long, wherever they just are, and let them go on."""
    pids = await running(scene, *names)
    await asyncio.sleep(scene.rng.uniform(0, 0.5))
    with stopped(pids):
        scene.did(f"SIGSTOP {' '.join(names)}")
        await asyncio.sleep(seconds)
    scene.did(f"SIGCONT after {seconds:.0f} s")


@asynccontextmanager
async def paused(scene: Scene, name: str) -> AsyncIterator[None]:
    """A service stands still while the block lasts; whatever it had in hand, it goes on with."""
    with stopped(await running(scene, name)):
        yield


@contextmanager
def stopped(pids: Sequence[int]) -> Iterator[None]:
    """These processes stand still while the block lasts, from this very moment on."""
    _send(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        _send(pids, signal.SIGCONT)


def _send(pids: Sequence[int], what: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, what)
