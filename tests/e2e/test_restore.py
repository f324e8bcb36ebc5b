"""Sites whose NATS and PostgreSQL folders are gone come back from the archive: the same log, the same ops-db."""

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from commands.demo.restoring import request_staging
from contracts.subjects import dead_stream, events_stream
from libs.bus.connection import connect
from libs.service.service import Place
from libs.storage.s3 import S3Store
from tests.support.commandline import Answer
from tests.support.machine import Machine, chasqui, up

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(480), pytest.mark.xdist_group("restore")]
SITES = ("chile", "cologne")
EXAMPLES = Path(__file__).parents[2] / "examples" / "data"
QUIET_S = 4.0
ROWS = 'SELECT t::text AS line FROM "{}" t ORDER BY 1'

Dump = dict[str, list[str]]
"""Every row of every table, as PostgreSQL writes it, sorted."""


async def dumped(place: Place) -> Dump:
    connection = await asyncpg.connect(place.opsdb_dsn())
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {
            table: [row["line"] for row in await connection.fetch(ROWS.format(table))]
            for table in sorted(row["tablename"] for row in tables)
        }
    finally:
        await connection.close()


async def standing(machine: Machine) -> tuple[dict[str, Any], bool]:
    """How far every stream, projection and consumer is; and whether nothing is left to do for any of them."""
    found: dict[str, Any] = {}
    done = True
    for site in SITES:
        place = machine.place(site)
        client = await connect(place.bus_address(), name="test")
        connection = await asyncpg.connect(place.opsdb_dsn())
        try:
            js = client.jetstream(timeout=10)
            rows = await connection.fetch("SELECT stream, sequence FROM stream_position")
            applied = {row["stream"]: row["sequence"] for row in rows}
            for stream in map(events_stream, SITES):
                last = (await js.stream_info(stream)).state.last_seq
                consumers = await js.consumers_info(stream)
                waiting = sum((one.num_pending or 0) + (one.num_ack_pending or 0) for one in consumers)
                found[f"{site}/{stream}"] = last
                done &= applied.get(stream, 0) == last and waiting == 0 and len(consumers) > 0
        finally:
            await connection.close()
            await client.close()
    for site in SITES:
        own = found[f"{site}/{events_stream(site)}"]
        done &= all(found[f"{other}/{events_stream(site)}"] == own for other in SITES)
    return found, done


async def settled(machine: Machine, within_s: float = 150.0) -> dict[str, Any]:
    """Wait until nothing is left to do, for a while."""
    deadline = time.monotonic() + within_s
    since = time.monotonic()
    before: dict[str, Any] = {}
    while True:
        found, done = await standing(machine)
        if not done or found != before:
            since, before = time.monotonic(), found
        if time.monotonic() - since > QUIET_S:
            return found
        assert time.monotonic() < deadline, f"it does not come to rest: {found}"
        await asyncio.sleep(0.3)


async def objects(machine: Machine) -> dict[str, tuple[str, str]]:
    """What the archive holds beside the log: tag and time of writing by key."""
    async with S3Store(machine.place("cologne").s3("cologne-archive")) as store:
        return {
            item.key: (item.etag, item.modified.isoformat())
            async for item in store.list()
            if not item.key.startswith("log/")
        }


async def letters(machine: Machine) -> int:
    count = 0
    for site in SITES:
        client = await connect(machine.place(site).bus_address(), name="test")
        try:
            count += (await client.jetstream(timeout=10).stream_info(dead_stream(site))).state.messages
        finally:
            await client.close()
    return count


async def observed(machine: Machine, name: str) -> UUID:
    """An observation with a picture, a file without one, and a name that needs care; archived."""
    folder = machine.source / name
    folder.mkdir()
    image = next(EXAMPLES.glob("**/*.fits"))
    shutil.copy(image, folder / "image.fits")
    (folder / "raw data.bin").write_bytes(name.encode() * 5000)
    unit = await machine.observe(name, [f"{name}/image.fits", f"{name}/raw data.bin"])
    await machine.archived(unit)
    return unit


async def staged(machine: Machine, unit: UUID) -> UUID:
    job = await request_staging(machine.started["sites"]["cologne"]["gateway"], [unit])
    await machine.watch.until(lambda: job in machine.tracker.staged, "staging")
    return job


async def told(workdir: Path, *words: str) -> Answer:
    """A command in a process of its own."""
    process = chasqui(*words, "--workdir", str(workdir))
    out, err = await asyncio.to_thread(process.communicate, timeout=120)
    return Answer(process.returncode, out, err)


def burn(work: Path, sites: Sequence[str]) -> None:
    """The ops-dbs of both sites lie on one embedded server: they are gone in any case."""
    for site in sites:
        shutil.rmtree(work / "servers" / "nats" / site)
    shutil.rmtree(work / "servers" / "postgres")


def archiver_log(work: Path) -> list[dict[str, Any]]:
    lines = (work / "logs" / "cologne-archiver.log").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


@dataclass(frozen=True)
class Before:
    """What two sites were before one was lost.

    Attributes:
        last: How far every stream was.
        objects: What the archive held beside the log.
        kept: A copy of the whole work directory.
    """

    work: Path
    last: dict[str, Any]
    dumps: dict[str, Dump]
    objects: dict[str, tuple[str, str]]
    kept: Path

    def brought_back(self) -> None:
        """Everything lies as it did; work directories keep their place."""
        shutil.rmtree(self.work, ignore_errors=True)
        subprocess.run(["cp", "-a", str(self.kept), str(self.work)], check=True)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Before:
    """Sites with three observations, a staged and a released one, whose log was exported; they have stopped."""
    folder = tmp_path_factory.mktemp("restore")
    return asyncio.run(_before(folder / "work", folder / "kept"))


async def _before(work: Path, kept: Path) -> Before:
    async with up(work) as machine:
        units = [await observed(machine, f"night-{number}") for number in range(3)]
        await staged(machine, units[0])
        released = await staged(machine, units[1])
        assert (await told(work, "release", str(released))).status == 0
        await settled(machine)
        exported = await told(work, "events", "export", "--json")
        assert exported.status == 0, exported.err
        last = await settled(machine)
        dumps = {site: await dumped(machine.place(site)) for site in SITES}
        archive = await objects(machine)
    assert sum(len(rows) for rows in dumps["chile"].values()) > 30
    await asyncio.to_thread(shutil.move, work, kept)
    return Before(work, last, dumps, archive, kept)


@pytest.mark.parametrize(
    "lost", [SITES], ids=["both"]
)  # one alone: in test_runbook and the histories of libs/eventlog
async def test_a_lost_site_comes_back(before: Before, lost: tuple[str, ...]) -> None:
    work = before.work
    await asyncio.to_thread(before.brought_back)
    burn(work, lost)

    # It does not begin anew: nothing is written before the old history is back.
    for _ in range(2):
        refused = await told(work, "up", "--json")
        assert (refused.status, refused.code) == (2, "history_elsewhere")
    restored = await told(work, "events", "restore", "--json")
    assert restored.status == 0, restored.out + restored.err
    last = {one["site"]: one["restored"] for one in restored.json["restored"]}
    for site in SITES:
        own = before.last[f"{site}/{events_stream(site)}"]
        assert last[site]["last"] == own
        assert last[site]["found"] == (0 if site in lost else own)

    async with up(work) as machine:
        assert await settled(machine) == before.last
        for site in SITES:
            now = await dumped(machine.place(site))
            assert now.keys() == before.dumps[site].keys()
            for table, rows in before.dumps[site].items():
                assert now[table] == rows, table
        assert await objects(machine) == before.objects
        assert await letters(machine) == 0
        # And the road is open.
        fresh = await observed(machine, "the next night")
        await staged(machine, fresh)
        assert len(await objects(machine)) == len(before.objects) + 2
        assert await letters(machine) == 0
