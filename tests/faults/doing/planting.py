"""A violation of everything that is checked: what the checks of this suite must find."""

import asyncio
import os
import signal
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg

from contracts.copies import CopyDeleted, CopyRef
from contracts.observations import DeclaredFile
from contracts.packages import PackageSealed
from contracts.states import CopyKind
from contracts.subjects import dead_letter, dead_stream, events_stream
from libs.bus.publishing import EventPublisher
from tests.faults.deployment import ARCHIVES, CENTRE, CENTRE_BUFFER, INSTRUMENTS, SOURCE, TELESCOPE
from tests.faults.doing.flipping import flip
from tests.faults.ledger import Observation, Written
from tests.faults.load import place
from tests.faults.scenario import Scene

BUFFERED = ("packages/left.tar", "packages/.left.partial", "packages/.left.tar.00.chasqui-deleting")


async def plant(scene: Scene) -> None:
    """Break everything that stays broken."""
    _lose_a_file(scene)
    _touch_a_decoy(scene)
    _leave_files(scene)
    await _damage_an_object(scene)
    await _leave_an_upload(scene)
    await _write_to_the_opsdb(scene)
    await _say_what_is_not_so(scene)
    scene.ledger.complaints.append("planted")


async def stop_and_kill(scene: Scene) -> int:
    """Stop the supervisor and kill a service, which stays dead; returns the supervisor's process."""
    pid, name = scene.system.process.pid, f"stager@{CENTRE}"
    os.kill(pid, signal.SIGSTOP)
    os.kill(scene.system.services()[name], signal.SIGKILL)
    for _ in range(500):
        if name not in scene.system.services():
            return pid
        await asyncio.sleep(0.02)
    raise AssertionError(f"{name} outlives kill -9")


async def stop_and_say(scene: Scene) -> int:
    """Stop the projector and have something said that it cannot apply; returns its process."""
    pid = scene.system.services()[f"projector@{TELESCOPE}"]
    os.kill(pid, signal.SIGSTOP)
    client = scene.stage.world.clients[TELESCOPE]
    await EventPublisher(client, site=TELESCOPE, service="witness").publish([_deletion()])
    return pid


async def stop_and_hear(scene: Scene) -> int:
    """Stop the archiver and let it have everything to hear again; returns its process."""
    pid = scene.system.services()[f"archiver@{CENTRE}"]
    os.kill(pid, signal.SIGSTOP)
    js = scene.stage.world.clients[CENTRE].jetstream(timeout=10)
    for info in await js.consumers_info(events_stream(CENTRE)):
        if info.config.durable_name and "_archiver_" in info.config.durable_name:
            await js.reset_consumer(events_stream(CENTRE), info.name, seq=1)
    return pid


def _lose_a_file(scene: Scene) -> None:
    unit, path = uuid4(), "never/written.raw"
    lost = Written(path, 1, "0" * 64, 0, DeclaredFile(path=path), uuid4())
    scene.ledger.observations[unit] = Observation(INSTRUMENTS[0], unit, [lost], finished=True)


def _touch_a_decoy(scene: Scene) -> None:
    path = place(scene.system.disk(SOURCE) / INSTRUMENTS[0], "decoy.txt", b"touched", 10**18)
    scene.ledger.decoys[path] = "0" * 64


def _leave_files(scene: Scene) -> None:
    for name in BUFFERED:
        place(scene.system.disk(CENTRE_BUFFER), name, b"left", 10**18)


async def _damage_an_object(scene: Scene) -> None:
    devices = scene.system.workdir.servers / "s3" / "devices"
    sealed: PackageSealed = next(iter(scene.chronicle.sealed.values()))
    flip(next(one for one in devices.rglob("*.data") if one.stat().st_size == sealed.package.size), scene.rng)


async def _leave_an_upload(scene: Scene) -> None:
    store = scene.stage.world.stores[ARCHIVES[0]]
    await store._client.create_multipart_upload(Bucket=store.settings.bucket, Key="left behind")


async def _write_to_the_opsdb(scene: Scene) -> None:
    connection = await asyncpg.connect(scene.system.places[CENTRE].opsdb_writer_dsn())
    try:
        done = await connection.execute("UPDATE raw_data_file SET size = size + 1 WHERE size IS NOT NULL")
    finally:
        await connection.close()
    assert not done.endswith(" 0")


async def _say_what_is_not_so(scene: Scene) -> None:
    """A deletion without grounds, something that nobody can read, a dead letter."""
    client = scene.stage.world.clients[CENTRE]
    js = client.jetstream(timeout=10)
    await EventPublisher(client, site=CENTRE, service="witness").publish([_deletion()])
    await js.publish(PackageSealed.subject(CENTRE), b"no event", stream=events_stream(CENTRE))
    headers: Mapping[str, str] = {"chasqui-dead-problem": '{"code": "planted"}'}
    await js.publish(
        dead_letter(CENTRE, "witness", "witness", uuid4()),
        b"",
        stream=dead_stream(CENTRE),
        headers=dict(headers),
    )


def _deletion() -> CopyDeleted:
    copy = CopyRef(
        kind=CopyKind.RAW_DATA_PACKAGE, entity_id=uuid4(), location=CENTRE_BUFFER, path="x.tar", size=1
    )
    return CopyDeleted(location=CENTRE_BUFFER, batch=uuid4(), deleted_at=datetime.now(UTC), copies=(copy,))
