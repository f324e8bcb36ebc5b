"""Seconds from kill -9 of a service in mid-work to that work being archived by whoever came after it.

Each round files an observation of one file and kills one service at a random moment of its road, so that all of
before, within and after the service's own step are met. Beside it, the same road undisturbed. A round that the kill
did not hold up (the step was over, or another step was still to come) counts as well: an operator cannot choose.
Run as ``python -m benchmarks.recovery [--rounds N] [--seed S]``.
"""

import argparse
import asyncio
import os
import random
import secrets
import signal
import statistics
import time
from pathlib import Path

import uvloop

from benchmarks.figures import Figure
from benchmarks.observatory import QUIET_S, Observatory, observatory
from commands.supervising import Worker
from libs.simulator.filler import write_filler
from libs.sites.models import ClaimSettings

SIZE = 20_000_000
VICTIMS = (
    "scanner@chile",
    "packager@chile",
    "bundler@chile",
    "mover@chile",
    "projector@chile",
    "verifier@cologne",
    "archiver@cologne",
    "projector@cologne",
)
WANTED_S = ClaimSettings().redelivery.total_seconds() + 6.0
"""A message of a dead instance goes to another after its deadline; then the work is done from the start."""


async def written(sky: Observatory, name: str) -> Path:
    """A new file that is quiet already."""
    path = sky.source / name / "frame.raw"
    path.parent.mkdir()
    await asyncio.to_thread(write_filler, path, SIZE, secrets.randbelow(2**32))
    await asyncio.sleep(QUIET_S * 1.5)
    return path


async def undisturbed(sky: Observatory, rounds: int) -> list[float]:
    """From the accepted finish to the archive, in seconds."""
    took = []
    for number in range(rounds + 1):
        name = f"undisturbed-{number}"
        path = await written(sky, name)
        unit = await sky.start(name)
        await sky.file_and_finish(unit, [path])
        began = time.perf_counter()
        await sky.archived([unit])
        took.append(time.perf_counter() - began)
    return took[1:]  # the first one pays for what is loaded late


async def recovered(sky: Observatory, worker: Worker, name: str, after_s: float) -> float:
    """From the kill to the archive, in seconds."""
    path = await written(sky, name)
    unit = await sky.start(name)
    await sky.file_and_finish(unit, [path])
    await asyncio.sleep(after_s)
    restarts = worker.restarts
    assert worker.process.pid is not None
    os.kill(worker.process.pid, signal.SIGKILL)
    killed = time.perf_counter()
    await sky.archived([unit])
    took = time.perf_counter() - killed
    await sky.watch.until(lambda: worker.restarts > restarts, f"the restart of {name}")
    assert await sky.stands.until_ready() == ()
    return took


async def measure(rounds: int, seed: int) -> list[Figure]:
    rng = random.Random(seed)  # noqa: S311  a benchmark's dice
    figures = []
    async with observatory() as sky:
        usual = statistics.median(await undisturbed(sky, rounds))
        workers = {worker.name: worker for worker in sky.stands.supervisor.workers}
        beside = {"undisturbed_p50": usual, "rounds": float(rounds), "seed": float(seed)}
        for victim in VICTIMS:
            took = [
                await recovered(sky, workers[victim], f"{victim}-{number}", rng.uniform(0, usual))
                for number in range(rounds)
            ]
            figures.append(
                Figure(
                    f"kill -9 of {victim} to archived, longest",
                    max(took),
                    "s",
                    f"<= {WANTED_S:g} s",
                    max(took) <= WANTED_S,
                    {"p50": statistics.median(took), **beside},
                )
            )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    for figure in uvloop.run(measure(asked.rounds, asked.seed)):
        figure.tell()


if __name__ == "__main__":
    main()
