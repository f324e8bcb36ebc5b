"""10,000 files of 10 KiB in 10 observations: files per second from the first filing to the last archive copy.

Beside it, `cp -r` and `sha256sum` of the same files. Run as ``python -m benchmarks.small [--files N]``.
"""

import argparse
import asyncio
import subprocess
import time
from pathlib import Path

import uvloop

from benchmarks.figures import Figure
from benchmarks.observatory import observatory
from libs.simulator.filler import write_filler

OBSERVATIONS = 10
SIZE = 10 << 10


async def measure(files: int) -> Figure:
    async with observatory() as sky:
        each = files // OBSERVATIONS
        folders = [sky.source / f"night-{number}" for number in range(OBSERVATIONS)]
        paths = [await asyncio.to_thread(write, folder, each) for folder in folders]
        began = time.perf_counter()

        async def observe(number: int) -> None:
            await sky.file_and_finish(units[number], paths[number])

        units = [await sky.start(f"night-{number}") for number in range(OBSERVATIONS)]
        await asyncio.gather(*map(observe, range(OBSERVATIONS)))
        filed = time.perf_counter() - began
        await sky.archived(units)
        seconds = time.perf_counter() - began
        await sky.stands.supervisor.stop()
        copy = _timed(["cp", "-r", *map(str, folders), str(sky.folder)])
        hashed = _timed(["sha256sum", *(str(path) for group in paths for path in group)])
    rate = files / seconds
    return Figure(
        "small files, filed to archived", rate, "files/s", ">= 500", rate >= 500,
        {"seconds": seconds, "filing_seconds": filed, "cp_seconds": copy, "sha256sum_seconds": hashed},
    )  # fmt: skip


def write(folder: Path, count: int) -> list[Path]:
    folder.mkdir(parents=True)
    paths = [folder / f"frame-{number:05}.raw" for number in range(count)]
    for number, path in enumerate(paths):
        write_filler(path, SIZE, number)
    return paths


def _timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    uvloop.run(measure(parser.parse_args().files)).tell()


if __name__ == "__main__":
    main()
