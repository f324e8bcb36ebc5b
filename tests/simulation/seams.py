"""Where the services' code meets the simulated world: every name that is replaced, in one table.

Only what touches a server, a disk, a clock or a thread is replaced; decisions never are. A seam that does not
exist any more is an error: whoever moves the code moves the seam.
"""

import logging
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, nullcontext
from datetime import timedelta
from functools import lru_cache, partial
from pathlib import Path
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Any
from unittest.mock import patch
from uuid import UUID

import structlog

from contracts.base import Event
from contracts.registry import Registry
from libs.breakers.shared import Breakers
from libs.bus.holders import ProcessId
from libs.bus.leases import Leases, may_take
from libs.bus.stored import StoredMessage
from libs.errors import Retriable
from libs.opsdb.decoding import happening_of
from libs.opsdb.projection.applying import Happening
from libs.service.hindsight import Hindsight
from libs.service.resting import Patience
from libs.storage.deletion import Deleted, EmptiedFolders
from libs.storage.disk import Space
from libs.storage.exactly import FileFacts, facts_of
from libs.storage.partials import end_tries
from libs.storage.walk import FoundFile, WalkBatch
from libs.transfer.ratelimit import RateLimit
from libs.transfer.sweep import Swept
from services.janitor.asking import Asker
from services.mover.engines import EngineName
from services.scanner.judging import Kind, Look
from services.verifier.clearing import Clearer
from tests.simulation.active import world
from tests.simulation.bus.following import read_batches, read_range
from tests.simulation.clocks import SimulatedDatetime, SimulatedTime
from tests.simulation.kernel.loop import CURRENT
from tests.simulation.opsdb.answers import Answered
from tests.simulation.opsdb.database import SCHEME, SimulatedReader, SimulatedWriter
from tests.simulation.storage import bags, staged
from tests.simulation.storage.archive import SimulatedStore
from tests.simulation.storage.contents import sha256_of
from tests.simulation.storage.disk import Mount
from tests.simulation.storage.engine import SimulatedEngine
from tests.simulation.storage.paths import SimulatedPath, place_of


def measure_space(folder: Path) -> Space:
    """As `libs.storage.disk.measure_space`."""
    disk, _ = place_of(folder)
    return Space(disk.capacity, disk.free())


def sha256_file(path: Path, *_: Any) -> str:
    """As `libs.storage.files.sha256_file`."""
    disk, name = place_of(path)
    return sha256_of(disk.require(name).content)


def digest(path: Path, _found: Any, _stopped: Any) -> str:
    """As `services.janitor.looking._digest`."""
    return sha256_file(path)


def look_at(root: Path, paths: Sequence[str]) -> list[Look]:
    """As `services.scanner.looking.look_at`."""
    disk, _ = place_of(root)
    found = [disk.find(path) for path in paths]
    return [Look(Kind.ABSENT) if one is None else Look(Kind.REGULAR, one.size, one.mtime_ns) for one in found]


def scan_tree(root: Path, _batch: int) -> Iterator[WalkBatch]:
    """As `libs.storage.walk.scan_tree`."""
    disk, _ = place_of(root)
    there = disk.nodes if disk.mount is Mount.THERE else {}
    files = tuple(FoundFile(path, node.size, node.mtime_ns) for path, node in sorted(there.items()))
    yield WalkBatch(files, ())


def delete_below(
    root: Path, relative: str, emptied: EmptiedFolders, exactly: FileFacts | None = None
) -> Deleted:
    """As `libs.storage.deletion.delete_below`."""
    disk, base = place_of(root)
    path = f"{base}/{relative}" if base else relative
    if disk.find(path) is None:
        return Deleted.ALREADY_GONE
    if exactly is not None and facts_of(root / relative) != exactly:
        return Deleted.REPLACED
    world().point(f"delete {path}")
    world().delete(disk, path)
    world().point(f"deleted {path}")
    if emptied is EmptiedFolders.REMOVE:
        disk.remove_emptied(path, keep=base)
    return Deleted.REMOVED


def jobs_on_disk(root: Path) -> list[UUID]:
    """As `services.janitor.folders.jobs_on_disk`."""
    disk, _ = place_of(root)
    folders = {one.split("/")[1] for one in disk.folders if one.startswith("staging/")}
    return [UUID(name) for name in sorted(folders) if not name.startswith(".")]


def remove_job(root: Path, job_id: UUID) -> None:
    """As `services.janitor.folders.remove`."""
    disk, _ = place_of(root)
    world().point(f"remove staging/{job_id}")
    disk.remove_tree(f"staging/{job_id}")
    world().tell("remove", disk.location, str(job_id), what=(disk, job_id))


def remove_leftovers(root: Path) -> int:
    """As `services.janitor.folders.remove_leftovers`."""
    disk, _ = place_of(root)
    left = {"/".join(one.split("/")[:2]) for one in disk.folders if one.startswith("staging/.")}
    for folder in sorted(left):
        disk.remove_tree(folder)
    return len(left)


async def sweep(folder: Path, older_than: Any) -> Swept:
    """As `libs.transfer.sweep.sweep`."""
    disk, _ = place_of(folder)
    before = world().wall(disk.site) - older_than.total_seconds()
    old = [p for p, node in disk.nodes.items() if p.endswith(".partial") and node.mtime_ns / 1e9 < before]
    for path in old:
        world().delete(disk, path)
    return Swept(len(old), 0)


class SimulatedOs:
    """Stands in for the module `os` where a file is only looked at."""

    @staticmethod
    def lstat(path: Path) -> Any:
        """As `os.lstat`."""
        return SimulatedPath(path).lstat()


@asynccontextmanager
async def serve(*_: Any, **__: Any) -> AsyncIterator[str]:
    """As `libs.service.http.serve`: nobody calls over HTTP here."""
    yield "http://nowhere"


def take_desk(bus: Any, desk: Any) -> None:
    """As `services.filing.handlers.subscribe`: requests find the desk at its process."""
    bus.desk = desk


def remembered(read: Callable[[Registry, str, bytes], Event]) -> Callable[[Registry, str, bytes], Event]:
    """As `Registry.read`, which reads the same bytes once: events are frozen, and every site reads every one."""
    return lru_cache(maxsize=50_000)(read)


def remembered_happening(read: Callable[[StoredMessage], Happening]) -> Callable[[StoredMessage], Happening]:
    """As `libs.opsdb.decoding.happening_of`, which reads the same message once, at whatever site."""

    def happening_of(message: StoredMessage) -> Happening:
        known, place = world().happenings, (message.stream, message.sequence)
        found = known.get(place)
        if found is None:
            found = known[place] = read(message)
        return found

    return happening_of


class NoNotices:
    """Stands in for `services.scanner.notices.Notices`: a file system that tells nobody anything."""

    def __init__(self, *_: Any) -> None:
        """Nothing is watched."""

    async def run(self, _scanner: Any) -> None:
        """Nothing is told."""


LEASE_S = 45.0
"""Longer than in service, so that a history need not be full of renewals, and shorter than a long pause."""


@asynccontextmanager
async def open_reader(dsn: str) -> AsyncIterator[SimulatedReader]:
    """As `libs.service.service._patient_reader`."""
    yield SimulatedReader(world().databases[dsn.removeprefix(SCHEME)])


def leases_of(*arguments: Any, **options: Any) -> Leases:
    """As `Leases`, for `LEASE_S`."""
    return Leases(*arguments, **{**options, "lease_s": LEASE_S})


class SimulatedConnection(SimulatedReader):
    """A connection of asyncpg, as `libs.service.hindsight` asks by it."""

    async def fetch(self, query: str, *arguments: object) -> list[Answered]:
        """As `asyncpg.Connection.fetch`."""
        try:
            return await super().fetch(query, *arguments)
        except Retriable as error:
            raise ConnectionRefusedError(str(error)) from error

    def is_closed(self) -> bool:
        """Each query stands for itself."""
        return False

    def terminate(self) -> None:
        """Nothing is held."""


async def connected(hindsight: Hindsight) -> SimulatedConnection:
    """As `Hindsight._connected`."""
    return SimulatedConnection(world().databases[hindsight._dsn.removeprefix(SCHEME)])


@asynccontextmanager
async def keeping_no_log(*_: Any) -> AsyncIterator[None]:
    """Stands in for `services.archiver.logkeeping.keeping_the_log`: the log is not exported here."""
    yield


def end_tries_below(root: Path, relative: str) -> None:
    """As `libs.storage.deletion.end_tries_below`."""
    end_tries(root / relative)


def this_process() -> ProcessId:
    """As `libs.bus.holders.this_process`."""
    return ProcessId("simulated", "simulated", world().number_of(CURRENT.get()), 0)


def is_gone(process: ProcessId) -> bool:
    """As `libs.bus.holders.is_gone`: processes of another site cannot be seen."""
    return not world().is_alive(process.pid, CURRENT.get().site)


class SimulatedSecrets:
    """Stands in for the module `secrets` where it only tells things apart."""

    @staticmethod
    def token_hex(size: int) -> str:
        """Another word at each call."""
        return f"{world().loop.numbered():0{2 * size}x}"


_CLOCKED = (
    "services.scanner.recovery",
    "services.scanner.scanner",
    "services.scanner.unfiled",
    "services.verifier.quarantine",
    "libs.service.ticking",
    "libs.service.hindsight",
    "libs.bus.pulse",
)
_DATED = (
    "libs.breakers.shared",
    "libs.bus.leases",
    "libs.bus.publishing",
    "libs.bus.letters",
    "libs.service.hindsight",
    "libs.storage.s3_proof",
    "services.scanner.recovery",
    "services.archiver.rotten",
    "services.archiver.repairing",
    "services.archiver.repairs",
    "services.bundler.resending",
    "services.bundler.sealing",
    "services.packager.mending",
    "services.verifier.scrubbing",
    "services.janitor.app",
    "services.mover.app",
    "services.stager.app",
    "libs.bus.letter_deciding",
)

SEAMS: dict[str, Any] = {
    **{f"{module}.time": SimulatedTime for module in _CLOCKED},
    **{f"{module}.datetime": SimulatedDatetime for module in _DATED},
    "services.janitor.app.Asker": lambda stores: Asker(stores, SimulatedTime.monotonic),
    "services.janitor.sweeping.Patience": partial(Patience, SimulatedTime.monotonic, longest_s=60.0),
    # What a process has of its own: name, leases, breakers, ops-db
    "libs.service.service.instance_name": lambda _service: CURRENT.get().name,
    "services.mover.app.instance_name": lambda _service: CURRENT.get().name,
    "libs.service.service.Breakers": partial(Breakers, monotonic=SimulatedTime.monotonic),
    "libs.service.service.Leases": leases_of,
    "libs.service.hindsight.Hindsight._connected": connected,
    "libs.service.unapplied.read_range": read_range,
    "libs.opsdb.lazily.OpsDbReader": SimulatedReader,
    "libs.service.service._patient_reader": open_reader,
    "libs.bus.leases.this_process": this_process,
    "libs.bus.leases.may_take": partial(may_take, gone=is_gone),
    "libs.bus.leases.secrets": SimulatedSecrets,
    # What is read again and again
    "contracts.registry.Registry.read": remembered(Registry.read),
    "libs.opsdb.decoding.happening_of": remembered_happening(happening_of),
    # PostgreSQL and the log behind the projector
    "services.projector.projecting.OpsDbWriter": SimulatedWriter,
    "services.projector.projecting.read_batches": read_batches,
    "services.projector.app.sparing_the_collector": nullcontext,
    "libs.bus.replaying.read_batches": read_batches,
    # Archives
    "services.archiver.app.S3Store": SimulatedStore,
    "services.archiver.app.keeping_the_log": keeping_no_log,
    "libs.service.archives.S3Store": SimulatedStore,
    "services.archiver.fetching.measure_space": measure_space,
    # Disks
    "services.scanner.scanner.look_at": look_at,
    "services.scanner.unfiled.scan_tree": scan_tree,
    "services.scanner.app.Notices": NoNotices,
    "services.packager.building.measure_space": measure_space,
    "services.packager.building.inspect_bag": bags.inspect_bag,
    "services.packager.building.write_bag": bags.write_bag,
    "services.mover.loading.sha256_file": sha256_file,
    "services.mover.handlers.ENGINES": {EngineName.LOCAL: lambda _route: SimulatedEngine()},
    "libs.copies.examining.inspect_bag": bags.inspect_bag,
    "libs.copies.archived.inspect_stream": bags.inspect_stream,
    "services.verifier.app.S3Store": SimulatedStore,
    "services.verifier.app.look_every": lambda _settings: 15.0,
    "services.verifier.scrubbing.Patience": partial(Patience, SimulatedTime.monotonic),
    "services.verifier.scrubbing.RateLimit": partial(RateLimit, clock=SimulatedTime.monotonic),
    "services.verifier.quarantine.sync_folder": lambda _folder: None,
    "libs.storage.files.sync_folder": lambda _folder: None,
    "services.janitor.leftovers.sweep": sweep,
    "services.janitor.leftovers.EVERY": 1,
    "services.janitor.leftovers.KEEP": timedelta(seconds=60),
    # How often things are looked at: seldom enough for a history to be short, often enough to happen in it.
    "services.bundler.app.period": lambda _longest_wait_s: 12.0,
    "services.janitor.app.SWEEP_EVERY_S": 15.0,
    "services.stager.app.LOOK_EVERY_S": 15.0,
    "services.verifier.app.EVERY_S": 30.0,
    "services.scanner.unfiled.ASKED_AGAIN_S": 120.0,
    "services.verifier.app.Clearer": partial(Clearer, keep=timedelta(seconds=60)),
    "services.stager.recalling.measure_space": measure_space,
    "services.stager.recalling.unpack_bag": bags.unpack_bag,
    "services.stager.recalling.os": SimulatedOs,
    "services.stager.proving.read_staged": staged.read_staged,
    "services.stager.proving._take_away": staged.take_away,
    "services.janitor.sweeping.measure_space": measure_space,
    "services.janitor.looking.os": SimulatedOs,
    "services.janitor.looking._digest": digest,
    "services.janitor.deleting.delete_below": delete_below,
    "services.janitor.deleting.give_back_below": lambda _root, _folder: None,
    "services.janitor.deleting.end_tries_below": end_tries_below,
    "services.janitor.folders.jobs_on_disk": jobs_on_disk,
    "services.janitor.folders.remove": remove_job,
    "services.janitor.folders.remove_leftovers": remove_leftovers,
    # Requests
    "services.filing.app.application": lambda *_, **__: None,
    "services.filing.app.serve": serve,
    "services.filing.app.subscribe": take_desk,
}
"""By the name that is replaced, as the code looks it up."""


@contextmanager
def simulated(planted: Mapping[str, Any] = MappingProxyType({})) -> Iterator[None]:
    """Replace every seam while the block runs, and let nobody write logs.

    Args:
        planted: Replaces more: by name, faults of a mutant.
    """
    with ExitStack() as stack:
        for name, replacement in (*SEAMS.items(), *planted.items()):
            module, _, attribute = name.rpartition(".")
            stack.enter_context(patch.object(resolve_name(module), attribute, replacement))
        stack.enter_context(_silence())
        stack.enter_context(_random_restored())
        yield


@contextmanager
def _silence() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


@contextmanager
def _random_restored() -> Iterator[None]:
    """The services' jitter comes from the module `random`, which a history seeds."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)
