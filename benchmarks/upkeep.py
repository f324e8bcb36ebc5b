"""A rebuild and a verification of a long log at a site that works on.

Run as ``python -m benchmarks.upkeep [--observations N] [--rate EVENTS_PER_SECOND]``. The first half of the log of
`benchmarks.replay` is applied; the other half is written while the tables are rebuilt and exchanged, and then verified,
a projector applying it all the time.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import uvloop

from benchmarks.figures import Figure
from benchmarks.projector import FILES, publish, unexpected
from contracts.subjects import lease_bucket
from libs.bus.connection import BusAddress, connect
from libs.bus.leases import Leases
from libs.embedded.nats import EmbeddedNats
from libs.embedded.postgres import EmbeddedPostgres
from libs.opsdb.migrating import migrate
from libs.opsdb.projection.applying import Happening
from libs.opsdb.reader import OpsDbReader
from libs.opsdb.rebuild import LogStream
from libs.opsdb.upkeep.replacing import replace
from libs.opsdb.upkeep.verifying import verify
from libs.service.background import background
from services.projector.projecting import Projector
from tests.support.histories.logs import log, smooth

TICK_S = 0.2


async def applied(dsn: str, happenings: Sequence[Happening]) -> None:
    """Wait until the tables contain these."""
    async with OpsDbReader.open(dsn) as reader:
        for stream, sequence in {h.stream: h.sequence for h in happenings}.items():
            await reader.wait_applied(stream, sequence, timeout=1800)


async def pour(bus: BusAddress, happenings: Sequence[Happening], rate: int) -> None:
    """Write these at about so many a second."""
    nc = await connect(bus, name="pouring")
    length = max(1, int(rate * TICK_S))
    for first in range(0, len(happenings), length):
        await publish(nc, happenings[first : first + length])
        await asyncio.sleep(TICK_S)
    await nc.close()


@asynccontextmanager
async def site(folder: Path, streams: Sequence[str]) -> AsyncIterator[tuple[BusAddress, str]]:
    """Servers, and a projector at work."""
    async with (
        EmbeddedNats(folder / "nats", name="benchmark") as server,
        EmbeddedPostgres(folder / "postgres") as postgres,
    ):
        dsn, bus = postgres.dsn(), BusAddress(server.url, server.user, server.password)
        await migrate(dsn)
        nc = await nats.connect(server.url, user=server.user, password=server.password)
        for stream in streams:
            subjects = [f"chasqui.{stream.removeprefix('EVENTS_')}.>"]
            await nc.jetstream().add_stream(name=stream, subjects=subjects)
        await nc.jetstream().create_key_value(bucket=lease_bucket("benchmark"))
        lease = Leases(nc, site="benchmark", instance="benchmark").of("projector.tables")
        projector = Projector(nc, dsn, [LogStream(name) for name in streams], unexpected, lease=lease)
        async with background(projector.run()):
            yield bus, dsn
        await nc.close()


async def measured(folder: Path, observations: int, rate: int) -> list[Figure]:
    happenings = log(smooth(2 * observations, files=FILES))
    half = len(happenings) // 2
    streams = sorted({h.stream for h in happenings})
    known = [LogStream(name) for name in streams]
    async with site(folder, streams) as (bus, dsn):
        await pour(bus, happenings[:half], 1_000_000)
        await applied(dsn, happenings[:half])
        pouring = asyncio.create_task(pour(bus, happenings[half:], rate))
        begun = time.perf_counter()
        replaced = await replace(bus, dsn, known)
        rebuilt_s = time.perf_counter() - begun
        begun = time.perf_counter()
        verified = await verify(bus, dsn, known)
        verified_s = time.perf_counter() - begun
        poured_on = not pouring.done()
        pouring.cancel()
        await asyncio.wait([pouring])
    beside = {
        "rebuilt_s": rebuilt_s,
        "verified_s": verified_s,
        "written_meanwhile": float(verified.events - half),
    }
    return [
        Figure("readers' wait for the exchange", replaced.held_s, "s", "< 5", replaced.held_s < 5,
               {"events": float(replaced.events), **beside}),
        Figure("tables that differ afterwards", float(len(verified.differences)), "tables",
               "0, written to all the time", not verified.differences and poured_on,
               {"events": float(verified.events), **beside}),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--observations", type=int, default=6250)
    parser.add_argument("--rate", type=int, default=500)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chasqui-benchmark-") as folder:
        for figure in uvloop.run(measured(Path(folder), arguments.observations, arguments.rate)):
            figure.tell()


if __name__ == "__main__":
    main()
