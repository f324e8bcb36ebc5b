"""kill -9 of a service in mid-work: the work is done after the restart, byte for byte, once."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from contracts.base import Event
from contracts.bundles import BundleReceived
from contracts.packages import PackageArchived, PackageSealed
from contracts.registry import REGISTRY
from contracts.subjects import events_stream
from contracts.transfers import TransferCompleted
from libs.bus.connection import connect
from libs.opsdb.reader import OpsDbReader
from libs.simulator.filler import write_filler
from libs.storage.s3 import S3Store
from tests.support.machine import Machine, up

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("kill"),
]
MIB = 1 << 20
ONCE = (PackageSealed, TransferCompleted, BundleReceived, PackageArchived)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def machine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Machine]:
    """One deployment, in which a service is killed by each test and comes back."""
    async with up(tmp_path_factory.mktemp("kill") / "work") as running:
        yield running


async def observed(machine: Machine, night: str, mebibytes: int) -> tuple[str, str]:
    """Write a file of the instrument; its path and digest."""
    name = f"{night}/stream.raw"
    path = machine.source / name
    path.parent.mkdir()
    await asyncio.to_thread(write_filler, path, mebibytes * MIB, 11)
    return name, await asyncio.to_thread(digest, path)


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def told(machine: Machine) -> Counter[str]:
    """How often each kind of event was said at both sites together."""
    happened = [*await events(machine, "chile"), *await events(machine, "cologne")]
    return Counter(type(event).__name__ for event in happened)


async def events(machine: Machine, site: str) -> list[Event]:
    place = machine.place(site)
    client = await connect(place.bus_address(), name="test")
    try:
        js = client.jetstream()
        stream = events_stream(site)
        last = (await js.stream_info(stream)).state.last_seq
        found = []
        for sequence in range(1, last + 1):
            raw = await js.get_msg(stream, sequence)
            found.append(REGISTRY.read("chasqui." + (raw.subject or "").split(".", 2)[2], raw.data or b""))
        return found
    finally:
        await client.close()


async def check_once(machine: Machine, before: Counter[str], path: str, sha256: str) -> None:
    """One more package, sealed, moved, received and archived once; it holds the bytes; nothing is left over."""
    now = await told(machine)
    assert {kind.__name__: now[kind.__name__] - before[kind.__name__] for kind in ONCE} == {
        kind.__name__: 1 for kind in ONCE
    }
    place = machine.place("cologne")
    async with OpsDbReader.open(place.opsdb_dsn(), most=1) as opsdb:

        async def row_is_archived() -> bool:
            row = await opsdb.fetchrow(
                "SELECT f.sha256, p.state::text AS state FROM raw_data_file f"
                " JOIN raw_data_package p ON p.id = f.raw_data_package_id WHERE f.path LIKE '%' || $1",
                path,
            )
            return row is not None and row["sha256"] == sha256 and row["state"] == "archived"

        for _ in range(200):
            if await row_is_archived():
                break
            await asyncio.sleep(0.1)
        assert await row_is_archived()
    async with S3Store(place.s3("cologne-archive")) as store:
        assert [key async for key in store.unfinished("")] == []
    partials = [path.name for path in machine.workdir.path.joinpath("sites").rglob(".*partial*")]
    assert partials == []


async def test_packager_killed_while_it_writes(machine: Machine) -> None:
    path, sha256 = await observed(machine, "packager", 300)
    before = await told(machine)
    buffer = machine.workdir.site("chile") / "buffer"
    unit = await machine.observe("packager", [path])
    await machine.until(lambda: any(p.stat().st_size > MIB for p in buffer.rglob(".*partial")), "packaging")
    machine.kill("packager", "chile")
    await machine.archived(unit)
    await check_once(machine, before, path, sha256)


async def test_mover_killed_while_it_copies(machine: Machine) -> None:
    path, sha256 = await observed(machine, "mover", 400)
    before = await told(machine)
    buffer = machine.workdir.site("cologne") / "buffer"
    unit = await machine.observe("mover", [path])
    await machine.until(lambda: any(buffer.rglob(".*partial*")), "moving")
    machine.kill("mover", "chile")
    await machine.archived(unit)
    await check_once(machine, before, path, sha256)


async def test_archiver_killed_while_it_uploads(machine: Machine) -> None:
    path, sha256 = await observed(machine, "archiver", 300)
    before = await told(machine)
    unit = await machine.observe("archiver", [path])
    async with S3Store(machine.place("cologne").s3("cologne-archive")) as store:
        for _ in range(3000):
            if [key async for key in store.unfinished("")]:
                break
            await asyncio.sleep(0.02)
        else:
            pytest.fail("no upload was begun")
    machine.kill("archiver", "cologne")
    await machine.archived(unit)
    await check_once(machine, before, path, sha256)


async def test_projector_killed_under_load(machine: Machine) -> None:
    folder = machine.source / "projector"
    folder.mkdir()
    names = [f"projector/frame-{number:04}.raw" for number in range(2000)]
    for number, name in enumerate(names):
        (machine.source / name).write_bytes(number.to_bytes(8, "big") * 64)
    observing = asyncio.create_task(machine.observe("projector", names))
    await asyncio.sleep(0.3)
    machine.kill("projector", "chile")
    machine.kill("projector", "cologne")
    await machine.archived(await observing)
    for site in ("chile", "cologne"):
        await all_archived(machine, site, len(names))


async def all_archived(machine: Machine, site: str, count: int) -> None:
    """Wait until a site's ops-db has every file of the projector's night in the archive."""
    async with OpsDbReader.open(machine.place(site).opsdb_dsn(), most=1) as opsdb:

        async def archived_files() -> int:
            found: int = await opsdb.fetchval(
                "SELECT count(*) FROM raw_data_file f JOIN raw_data_package p ON p.id = f.raw_data_package_id"
                " WHERE p.archived_at IS NOT NULL AND f.sha256 IS NOT NULL AND f.path LIKE '%projector/%'"
            )
            return found

        for _ in range(300):
            if await archived_files() == count:
                break
            await asyncio.sleep(0.1)
        assert await archived_files() == count
