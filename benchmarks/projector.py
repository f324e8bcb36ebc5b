"""Projected events per second, from a real JetStream into a real PostgreSQL, beside plain COPY of the same rows.

Run as ``python -m benchmarks.projector [--observations N]``. The log is made up but plausible: all
events of the road, nine observations of one file to one of a hundred. The baseline copies the rows that came
out into empty tables of the same schema, indexes and all, without reading, parsing or merging anything.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import nats
import uvloop
from nats.aio.client import Client

from benchmarks.costs import cpu_seconds
from benchmarks.figures import Figure
from contracts.problems import Problem
from contracts.subjects import lease_bucket
from libs.bus.leases import Leases
from libs.bus.stored import StoredMessage
from libs.embedded.nats import EmbeddedNats
from libs.embedded.postgres import EmbeddedPostgres
from libs.groups import TaskGroup
from libs.opsdb.collecting import sparing_the_collector
from libs.opsdb.migrating import migrate
from libs.opsdb.models import METADATA
from libs.opsdb.projection.applying import Happening
from libs.opsdb.reader import OpsDbReader
from libs.opsdb.rebuild import LogStream
from services.projector.projecting import Projector
from tests.support.histories.logs import log, smooth

FILES = (1, 1, 1, 1, 1, 1, 1, 1, 1, 100)
IN_FLIGHT = 512


@dataclass(frozen=True)
class Figures:
    """What one run came to."""

    events: int
    rows: int
    seconds: float
    events_per_second: float
    copy_seconds: float
    copy_rows_per_second: float
    ratio_to_copy: float


async def publish(nc: Client, happenings: Sequence[Happening]) -> None:
    js = nc.jetstream()
    window = asyncio.Semaphore(IN_FLIGHT)

    async def store(happening: Happening) -> None:
        envelope, event = happening.envelope, happening.event
        try:
            await js.publish(
                event.subject(envelope.site),
                event.model_dump_json().encode(),
                headers=envelope.headers(),
                timeout=60,
            )
        finally:
            window.release()

    async with TaskGroup() as tasks:
        for happening in happenings:
            await window.acquire()
            tasks.create_task(store(happening))


async def unexpected(message: StoredMessage, problem: Problem) -> None:
    raise AssertionError(f"{message.sequence} could not be read: {problem}")


async def projected(nc: Client, dsn: str, last: dict[str, int]) -> tuple[float, int]:
    await nc.jetstream().create_key_value(bucket=lease_bucket("benchmark"))
    lease = Leases(nc, site="benchmark", instance="benchmark").of("projector.tables")
    projector = Projector(nc, dsn, [LogStream(name) for name in last], unexpected, lease=lease)
    begun = time.perf_counter()
    running = asyncio.create_task(projector.run())
    async with asyncio.timeout(600), OpsDbReader.open(dsn) as reader:
        for stream, sequence in last.items():
            await reader.wait_applied(stream, sequence, 600)
    seconds = time.perf_counter() - begun
    running.cancel()
    return seconds, projector.progress.rows


@dataclass(frozen=True)
class Copied:
    """What plain COPY of all rows took."""

    rows: int
    seconds: float
    cpu_seconds: float


async def copied(dsn: str) -> Copied:
    """COPY every row into a schema of the same tables."""
    await migrate(dsn, "copied")
    source, target = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    try:
        await target.execute("SET search_path TO copied; SET synchronous_commit TO off")
        seconds, cpu, rows = 0.0, 0.0, 0
        for table in METADATA.sorted_tables:
            columns = [c.name for c in table.columns]
            query = f"SELECT {', '.join(columns)} FROM public.{table.name}"  # noqa: S608 - our own names
            records = [tuple(record) for record in await source.fetch(query)]
            cpu_before, begun = cpu_seconds(), time.perf_counter()
            await target.copy_records_to_table(table.name, records=records, columns=columns)
            seconds += time.perf_counter() - begun
            cpu += cpu_seconds() - cpu_before
            rows += len(records)
        return Copied(rows, seconds, cpu)
    finally:
        await source.close()
        await target.close()


async def measured(folder: Path, observations: int) -> Figures:
    happenings = log(smooth(observations, files=FILES))
    last = {h.stream: h.sequence for h in happenings}
    async with (
        EmbeddedNats(folder / "nats", name="benchmark") as server,
        EmbeddedPostgres(folder / "postgres") as postgres,
    ):
        await migrate(postgres.dsn())
        nc = await nats.connect(server.url, user=server.user, password=server.password)
        js = nc.jetstream()
        for stream in last:
            await js.add_stream(name=stream, subjects=[f"chasqui.{stream.removeprefix('EVENTS_')}.>"])
        await publish(nc, happenings)
        events = len(happenings)
        del happenings
        with sparing_the_collector():
            seconds, _ = await projected(nc, postgres.dsn(), last)
        copy = await copied(postgres.dsn())
        await nc.close()
    return Figures(
        events=events,
        rows=copy.rows,
        seconds=round(seconds, 3),
        events_per_second=round(events / seconds, 1),
        copy_seconds=round(copy.seconds, 3),
        copy_rows_per_second=round(copy.rows / copy.seconds, 1),
        ratio_to_copy=round(seconds / copy.seconds, 2),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--observations", type=int, default=2000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chasqui-benchmark-") as folder:
        figures = uvloop.run(measured(Path(folder), arguments.observations))
    rate = figures.events_per_second
    Figure(
        "projected events", rate, "events/s", ">= 5000", rate >= 5000,
        {
            "events": float(figures.events),
            "rows": float(figures.rows),
            "seconds": figures.seconds,
            "copy_seconds": figures.copy_seconds,
            "ratio_to_copy": figures.ratio_to_copy,
        },
    ).tell()  # fmt: skip


if __name__ == "__main__":
    main()
