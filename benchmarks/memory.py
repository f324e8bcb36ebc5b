"""Peak memory of each service while one large file goes through, is staged back and cleared.

The figure is the high-water mark of each process's resident set.

Beside it, the same mark before the file is filed. Run as ``python -m benchmarks.memory [--mebibytes N]``.
"""

import argparse
import asyncio

import uvloop

from benchmarks.figures import Figure
from benchmarks.observatory import Observatory, observatory
from commands.demo.restoring import request_staging
from libs.simulator.filler import write_filler
from libs.storage.s3_settings import MIB
from tests.support.memory import memory

LIMIT_MIB = 200
COPIES = 3
"""What the janitors delete: the file in SOURCE, the package in both BUFFERs."""


async def measure(mebibytes: int) -> list[Figure]:
    async with observatory() as sky:
        before = peaks(sky)
        path = sky.source / "huge" / "stream.raw"
        path.parent.mkdir()
        await asyncio.to_thread(write_filler, path, mebibytes << 20, 1)
        unit = await sky.start("huge")
        await sky.file_and_finish(unit, [path])
        await sky.archived([unit])
        job = await request_staging(str(sky.stands.urls()["cologne"].gateway), [unit])
        await sky.watch.until(lambda: job in sky.tracker.staged, "staging")
        for site in ("chile", "cologne"):
            sky.stands.start(site, "janitor")
        await sky.watch.until(lambda: sum(sky.tracker.deleted.values()) >= COPIES, "the janitor")
        after = peaks(sky)
    return [
        Figure(f"peak memory of {name}", after[name], "MiB", f"< {LIMIT_MIB} MiB", after[name] < LIMIT_MIB,
               {"idle_MiB": before.get(name, 0.0)})
        for name in sorted(after)
    ]  # fmt: skip


def peaks(sky: Observatory) -> dict[str, float]:
    """MiB by service: VmHWM of its process."""
    return {
        worker.name: memory("VmHWM", worker.process.pid) / MIB for worker in sky.stands.supervisor.workers
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=4096)
    for figure in uvloop.run(measure(parser.parse_args().mebibytes)):
        figure.tell()


if __name__ == "__main__":
    main()
