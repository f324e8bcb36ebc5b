"""Peak memory of each service while one large file goes through: resident set, high-water mark of each process.

Beside it, the same mark before the file is filed. Run as ``python -m benchmarks.memory [--mebibytes N]``.
"""

import argparse
import asyncio
from pathlib import Path

import uvloop

from benchmarks.figures import Figure
from benchmarks.observatory import Observatory, observatory
from libs.simulator.filler import write_filler

LIMIT_MIB = 200


async def measure(mebibytes: int) -> list[Figure]:
    async with observatory() as sky:
        before = peaks(sky)
        path = sky.source / "huge" / "stream.raw"
        path.parent.mkdir()
        await asyncio.to_thread(write_filler, path, mebibytes << 20, 1)
        unit = await sky.start("huge")
        await sky.file_and_finish(unit, [path])
        await sky.archived([unit])
        after = peaks(sky)
    return [
        Figure(f"peak memory of {name}", after[name], "MiB", f"< {LIMIT_MIB} MiB", after[name] < LIMIT_MIB,
               {"idle_MiB": before[name]})
        for name in sorted(after)
    ]  # fmt: skip


def peaks(sky: Observatory) -> dict[str, float]:
    """MiB by service: VmHWM of its process."""
    found = {}
    for worker in sky.stands.supervisor.workers:
        status = Path(f"/proc/{worker.process.pid}/status").read_text()
        kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
        found[worker.name] = int(kilobytes) / 1024
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=4096)
    for figure in uvloop.run(measure(parser.parse_args().mebibytes)):
        figure.tell()


if __name__ == "__main__":
    main()
