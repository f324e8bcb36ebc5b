"""Peak memory of reading one large archive copy in full, as the scrub does: its checksum, and that of every file in it.

An object of a gibibyte is put into a real S3 server and read by a process of its own, whose high-water mark of the
resident set is the figure. Beside it, the same mark for an object of 64 mebibytes, and the rate. Run as
``python -m benchmarks.scrub [--mebibytes N]``.
"""

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop
from pydantic import SecretStr

from benchmarks.figures import Figure
from contracts.packages import PackageRecord
from libs.copies.archived import examine_object
from libs.embedded.s3 import EmbeddedS3
from libs.storage.s3 import S3Store
from libs.storage.s3_settings import MIB, S3Settings
from tests.support.memory import memory
from tests.support.sparse import sparse_package

LIMIT_MIB = 16
"""More than this above the mark of the small object is not flat: its buffers are full, too."""
FILES = 8


@dataclass(frozen=True)
class Reading:
    """What reading an object took: MiB at most, and seconds."""

    peak: float
    seconds: float


def child(settings: S3Settings, package: PackageRecord, answer: Connection) -> None:
    """Read one object in this process, and say what it took."""

    async def examine() -> Reading:
        async with S3Store(settings) as store:
            started = time.monotonic()
            problem = await examine_object(store, package.name, package, read=lambda _: None)
            seconds = time.monotonic() - started
        if problem is not None:
            raise SystemExit(problem.reason)
        return Reading(memory("VmHWM") / MIB, seconds)

    answer.send(uvloop.run(examine()))


def read(settings: S3Settings, package: PackageRecord) -> Reading:
    """Have a process of its own read an object."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=child, args=(settings, package, theirs))
    process.start()
    theirs.close()
    found: Reading = ours.recv()
    process.join()
    return found


async def measure(folder: Path, mebibytes: int) -> Figure:
    async with EmbeddedS3(folder / "s3") as server:
        settings = S3Settings(
            endpoint=server.endpoint,
            bucket="archive",
            access_key=server.access_key,
            secret_key=SecretStr(server.secret_key),
            region=server.region,
        )
        readings = []
        async with S3Store(settings) as store:
            await store.ensure_bucket()
            for name, size in (("small", 64), ("large", mebibytes)):
                tar, package = await asyncio.to_thread(sparse_package, folder, name, size * MIB, files=FILES)
                await store.upload_file(tar, package.name, size=package.size, expected_sha256=package.sha256)
                tar.unlink()
                readings.append(await asyncio.to_thread(read, settings, package))
    small, large = readings
    rate = mebibytes / large.seconds
    more = large.peak - small.peak
    beside = {"peak_of_64_MiB": small.peak, "peak": large.peak, "MiB_per_second": rate}
    return Figure(
        f"memory of a scrub of {mebibytes} MiB above one of 64 MiB",
        more,
        "MiB",
        f"< {LIMIT_MIB} MiB",
        more < LIMIT_MIB,
        beside,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=1024)
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(measure(Path(folder), parser.parse_args().mebibytes)).tell()


if __name__ == "__main__":
    main()
