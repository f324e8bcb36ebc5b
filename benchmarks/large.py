"""SOURCE to archive for 2 GiB in 20 MiB files, as a ratio to a floor of the same bytes in the same run.

The floor: two `cp`, three `sha256sum`, and one upload to the same S3 server by a bare client.
Run as ``python -m benchmarks.large [--mebibytes N]``.
"""

import argparse
import asyncio
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop
from aiobotocore.session import get_session

from benchmarks.figures import Figure
from benchmarks.observatory import Observatory, observatory
from libs.simulator.filler import write_filler

FILE_MIB = 20
UPLOADS_AT_ONCE = 4


async def measure(mebibytes: int) -> Figure:
    async with observatory() as sky:
        paths = await asyncio.to_thread(write, sky.source / "large", mebibytes // FILE_MIB)
        began = time.perf_counter()
        unit = await sky.start("large")
        await sky.file_and_finish(unit, paths)
        await sky.archived([unit])
        seconds = time.perf_counter() - began
        await sky.stands.supervisor.stop()
        floor = await _floor(sky, paths)
    total = sum(floor.values())
    ratio = seconds / total
    return Figure(
        "large files, source to archive", ratio, "x the floor", "<= 2.0", ratio <= 2.0,
        {"seconds": seconds, "floor_seconds": total, **floor},
    )  # fmt: skip


def write(folder: Path, count: int) -> list[Path]:
    folder.mkdir(parents=True)
    paths = [folder / f"frame-{number:04}.raw" for number in range(count)]
    for number, path in enumerate(paths):
        write_filler(path, FILE_MIB << 20, number)
    return paths


async def _floor(sky: Observatory, paths: Sequence[Path]) -> dict[str, float]:
    names = [str(path) for path in paths]
    floor: dict[str, float] = {}
    for turn in ("cp_1", "cp_2"):
        target = sky.folder / turn
        target.mkdir()
        floor[turn] = await asyncio.to_thread(_timed, ["cp", *names, str(target)])
    for turn in ("sha256sum_1", "sha256sum_2", "sha256sum_3"):
        floor[turn] = await asyncio.to_thread(_timed, ["sha256sum", *names])
    floor["upload"] = await _upload(sky, paths)
    return floor


def _timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


async def _upload(sky: Observatory, paths: Sequence[Path]) -> float:
    s3 = sky.stands.places["cologne"].s3("cologne-archive")
    window = asyncio.Semaphore(UPLOADS_AT_ONCE)
    client = get_session().create_client(
        "s3",
        endpoint_url=s3.endpoint,
        region_name=s3.region,
        aws_access_key_id=s3.access_key,
        aws_secret_access_key=s3.secret_key.get_secret_value(),
    )
    async with client as bare:

        async def put(path: Path) -> None:
            async with window:
                body = await asyncio.to_thread(path.read_bytes)
                await bare.put_object(Bucket=s3.bucket, Key=f"floor/{path.name}", Body=body)

        began = time.perf_counter()
        await asyncio.gather(*map(put, paths))
        return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=2048)
    uvloop.run(measure(parser.parse_args().mebibytes)).tell()


if __name__ == "__main__":
    main()
