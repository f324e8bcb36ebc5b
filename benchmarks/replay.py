"""Events per second of ``chasqui opsdb rebuild``, beside plain COPY of the rows that come out, in the same run.

Run as ``python -m benchmarks.replay [--observations N]``. The log is that of `benchmarks.projector`: all events of the
road, nine observations of one file to one of a hundred; 12,500 of them are 200,000 events. The time is that of the
whole rebuild: tables, processes, folding, indexes, the exchange with the live tables, and their removal. Live tables
that only say how far they are do for that: the rebuild looks at nothing else of them. Beside the time it tells the
seconds of the processors, all processes counted, and the most memory that one of the folding processes had: as much for
a short log as for a long one.
"""

import argparse
import tempfile
import time
from pathlib import Path

import asyncpg
import nats
import uvloop

from benchmarks.costs import cpu_seconds, peak_of_children_mib
from benchmarks.figures import Figure
from benchmarks.projector import FILES, copied, publish
from libs.bus.connection import BusAddress
from libs.embedded.nats import EmbeddedNats
from libs.embedded.postgres import EmbeddedPostgres
from libs.opsdb.migrating import migrate
from libs.opsdb.rebuild import LogStream
from libs.opsdb.upkeep.progress import Progress, Stage
from libs.opsdb.upkeep.replacing import replace
from tests.support.histories.logs import log, smooth


class Stopwatch:
    """When each stage of a rebuild began."""

    def __init__(self) -> None:
        self.begun = time.perf_counter()
        self.stages: dict[Stage, float] = {}

    def tell(self, progress: Progress) -> None:
        self.stages.setdefault(progress.stage, time.perf_counter() - self.begun)


async def stored(server: EmbeddedNats, observations: int) -> dict[str, int]:
    """Fill the streams; returns the last sequence of each."""
    nc = await nats.connect(server.url, user=server.user, password=server.password)
    happenings = log(smooth(observations, files=FILES))
    last = {happening.stream: happening.sequence for happening in happenings}
    for stream in last:
        subjects = [f"chasqui.{stream.removeprefix('EVENTS_')}.>"]
        await nc.jetstream().add_stream(name=stream, subjects=subjects)
    await publish(nc, happenings)
    await nc.close()
    return last


async def claimed_to_be_at(dsn: str, last: dict[str, int]) -> None:
    """Let the live tables say that they are at the end of the log."""
    connection = await asyncpg.connect(dsn)
    await connection.executemany("INSERT INTO stream_position VALUES ($1, $2)", list(last.items()))
    await connection.close()


async def measured(folder: Path, observations: int) -> tuple[Figure, Figure]:
    async with (
        EmbeddedNats(folder / "nats", name="benchmark") as server,
        EmbeddedPostgres(folder / "postgres") as postgres,
    ):
        last = await stored(server, observations)
        dsn = postgres.dsn()
        await migrate(dsn)
        await claimed_to_be_at(dsn, last)
        bus = BusAddress(server.url, server.user, server.password)
        watch, cpu = Stopwatch(), cpu_seconds()
        done = await replace(bus, dsn, [LogStream(name) for name in last], tell=watch.tell)
        seconds, cpu = time.perf_counter() - watch.begun, cpu_seconds() - cpu
        peak = peak_of_children_mib()
        copy = await copied(dsn)
    assert done.events == sum(last.values())
    rate, ratio = done.events / seconds, seconds / copy.seconds
    beside = {
        "events": float(done.events),
        "rows": float(copy.rows),
        "seconds": seconds,
        "cpu_seconds": cpu,
        "copy_seconds": copy.seconds,
        "copy_cpu_seconds": copy.cpu_seconds,
        "peak_of_a_process_mib": peak,
        "readers_waited_s": done.held_s,
        **{f"{stage.value}_from_s": at for stage, at in watch.stages.items()},
    }
    return (
        Figure("rebuilt events", rate, "events/s", ">= 10000", rate >= 10_000, beside),
        Figure("rebuild beside COPY", ratio, "times COPY's time", "<= 5", ratio <= 5, beside),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--observations", type=int, default=12_500)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chasqui-benchmark-") as folder:
        for figure in uvloop.run(measured(Path(folder), arguments.observations)):
            figure.tell()


if __name__ == "__main__":
    main()
