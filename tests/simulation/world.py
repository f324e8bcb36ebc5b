"""The world of one history: its clock, its servers and disks, and what is seen of every change."""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import log
from typing import TYPE_CHECKING, Any, NamedTuple

from libs.opsdb.projection.applying import Happening
from libs.opsdb.projection.coalescing import Coalesced
from libs.sites.models import Deployment, DiskLocation, S3Location
from tests.simulation.bus.consumers import Settled
from tests.simulation.bus.mirrors import Mirrors
from tests.simulation.bus.server import Server
from tests.simulation.bus.streams import Answer, Stream
from tests.simulation.chaos import Chaos, Fault, Settings
from tests.simulation.kernel.loop import CURRENT, SimulatedLoop
from tests.simulation.kernel.processes import Process, Stopped
from tests.simulation.opsdb.database import Commit, Database
from tests.simulation.opsdb.tables import Tables
from tests.simulation.sites import Layout, deployment_of
from tests.simulation.storage.archive import Archive
from tests.simulation.storage.contents import Content, Flipped, Tar, swapped
from tests.simulation.storage.disk import Disk, Mount

if TYPE_CHECKING:
    from tests.simulation.bus.deliveries import SimulatedMessage

EPOCH = datetime(2026, 9, 1, tzinfo=UTC)
EPOCH_NS = int(EPOCH.timestamp()) * 1_000_000_000
TYPICAL_S = 0.02
"""Mean duration of a trip to a server or disk."""
SWAPS = 0.3
"""How often damage is two files of a package with each other's bytes."""


class Step(NamedTuple):
    """A change of the world: what happened, and the facts of it.

    Attributes:
        kind: ``store``, ``settle``, ``commit``, ``delete``, ``kill``, ...
        facts: Words and numbers, the same in every run.
        what: The thing itself, for the invariants.
    """

    at: float
    kind: str
    facts: tuple[object, ...]
    what: Any = None


class World:
    """Everything around the processes.

    Args:
        seed: Of the history.
        layout: The observatory.
        settings: What may go wrong.
    """

    def __init__(self, seed: str, layout: Layout, settings: Settings) -> None:
        self.seed = seed
        self.layout = layout
        self.deployment: Deployment = deployment_of(layout)
        self.chance = random.Random(f"{seed}:schedule")
        self._random = self.chance.random
        self.chaos = Chaos(seed, settings)
        self.loop = SimulatedLoop(self.chance)
        self.points = 0
        self.over = False
        self.processes: list[Process] = []
        self.trace: list[Step] = []
        self.watchers: list[Callable[[Step], None]] = []
        self.surprises: list[tuple[str, BaseException]] = []
        self.clocks = dict.fromkeys(self.deployment.sites, 0.0)
        self.cut: set[str] = set()
        self.remembers_commits = self.chaos.has(Fault.OPSDB_OUTAGES)
        sites = tuple(self.deployment.sites)
        self.servers = {site: Server(site, sites, self.loop.time, self.outside) for site in sites}
        self.mirrors = Mirrors(self.servers, self.joined, self._over_the_link, self.some)
        self.happenings: dict[tuple[str, int], Happening] = {}
        self.merged_before: dict[tuple[str, int], Coalesced] = {}
        self.databases = {site: Database(site, self.empty_tables()) for site in sites}
        self.disks: dict[str, Disk] = {}
        self.archives: dict[str, Archive] = {}
        for site, name, location in self.deployment.locations():
            match location:
                case DiskLocation():
                    self.disks[name] = Disk(name, site)
                case S3Location():
                    self.archives[name] = Archive(name, site)

    def empty_tables(self) -> Tables:
        """Tables that share what single events come to."""
        return Tables(merged_before=self.merged_before)

    # Clocks

    def wall(self, site: str) -> float:
        """A site's wall clock, seconds since 1970."""
        return self.wall_ns(site) / 1e9

    def wall_ns(self, site: str) -> int:
        """A site's wall clock, nanoseconds since 1970."""
        return EPOCH_NS + round((self.loop.now + self.clocks.get(site, 0.0)) * 1e9)

    def wall_clock(self, site: str) -> datetime:
        """A site's wall clock."""
        return EPOCH + timedelta(seconds=self.loop.now + self.clocks.get(site, 0.0))

    # Trips of processes to servers and disks

    def latency(self) -> float:
        """How long a trip takes; now and then longer than a claim lasts."""
        if self.chaos.slow and self.chaos.strikes(Fault.SLOWNESS, self.loop.now, "a slow trip"):
            return 3.0 + 30.0 * self.chaos.chance.random()
        return -TYPICAL_S * log(1.0 - self._random())

    def some(self, most: int) -> int:
        """At least one, at most so many."""
        return 1 + int(self.chance.random() * most) if most > 1 else 1

    async def trip(self, where: str) -> None:
        """Go to a server or disk; the process may be killed, or stopped for a while, before it gets there."""
        process = CURRENT.get()
        if not process.alive:
            raise Stopped(process.name)
        await self.loop.rest(self.latency())
        if process is self.loop.outside:
            return
        if not process.alive:
            raise Stopped(process.name)
        self.points += 1
        if self.chaos.lurking:
            self._lurk(process, where)
            if process.paused:
                await asyncio.sleep(0)
                process.require_life()

    async def arrived(self, where: str) -> None:
        """What was to be done there is done; the process may be killed before it knows."""
        await self.spot(f"{where}, done")
        await self.loop.rest(self.latency())

    async def spot(self, where: str) -> None:
        """A place between two instructions at which a process may be killed or stopped."""
        process = CURRENT.get()
        self.point(where)
        if process.paused:
            await asyncio.sleep(0)
        process.require_life()

    def point(self, where: str) -> None:
        """As `spot`, in blocking code."""
        process = CURRENT.get()
        if process is self.loop.outside:
            return
        process.require_life()
        self.points += 1
        if self.chaos.lurking:
            self._lurk(process, where)

    def _lurk(self, process: Process, where: str) -> None:
        now, chaos = self.loop.now, self.chaos
        if self.points == chaos.kill_at or (
            chaos.tempts(Fault.KILLS) and chaos.counts(Fault.KILLS, now, f"{process.name}: {where}")
        ):
            self.kill(process, where)
            raise Stopped(where)
        if chaos.tempts(Fault.PAUSES) and chaos.counts(Fault.PAUSES, now, f"{process.name}: {where}"):
            self.pause(process, 2.0 + 50.0 * chaos.chance.random(), where)

    def kill(self, process: Process, where: str) -> None:
        """End a process between two instructions."""
        self.tell("kill", process.name, where)
        if process.paused:
            self.loop.resume(process)
        process.kill()

    def pause(self, process: Process, seconds: float, where: str) -> None:
        """Stop a process for a while."""
        self.tell("pause", process.name, where, round(seconds, 3))
        self.loop.pause(process)
        self.outside(seconds, lambda: self.resume(process))

    def resume(self, process: Process) -> None:
        """Let it go on as if nothing had happened."""
        if process.alive and process.paused:
            self.tell("resume", process.name)
            self.loop.resume(process)
            for consumer in self.servers[process.site].consumers.values():
                consumer.pump()

    def number_of(self, process: Process) -> int:
        """What tells a process from all others."""
        return self.processes.index(process)

    def is_alive(self, number: int, site: str) -> bool:
        """Whether a process lives, as far as it can be seen from a site."""
        process = self.processes[number]
        return process.alive or process.site != site

    def outside(self, delay: float, action: Callable[[], object]) -> None:
        """Let something happen in the world, whatever becomes of the process that caused it."""
        self.loop.call_later(delay, action, context=self.loop.outside_context)

    def send(self, what: str, effect: Callable[[], object], lost: Callable[[], bool]) -> None:
        """Let a word travel to a server; nobody waits for it, and it may be lost."""

        def arrive() -> None:
            if not lost():
                effect()

        self.outside(self.latency(), arrive)

    def strikes(self, fault: Fault, what: str) -> bool:
        """Whether a fault happens on this occasion."""
        return self.chaos.strikes(fault, self.loop.now, what)

    # The link and the disks

    def joined(self, one: str, other: str) -> bool:
        """Whether two sites reach each other."""
        return one == other or not (one in self.cut or other in self.cut)

    def _over_the_link(self, action: Callable[[], None]) -> None:
        self.outside(0.1 + 5 * self.latency(), action)

    def linked(self, site: str) -> bool:
        """Whether the process whose code runs reaches a site."""
        here = CURRENT.get().site
        return not here or self.joined(here, site)

    def reaches(self, disk: Disk) -> bool:
        """Whether the process whose code runs sees a disk that is mounted."""
        return self.linked(disk.site) and disk.mount is not Mount.GONE

    def disk_for(self, location: str) -> Disk:
        """A disk by its location."""
        return self.disks[location]

    def in_transit(self, content: Content, what: str) -> Content:
        """What arrives of what was sent."""
        if self.strikes(Fault.BIT_ROT, what):
            self.tell("damaged", what.rpartition("/")[2].rpartition(" ")[2])
            return spoiled(content, f"{what} at {self.loop.now:.6f}", self.chaos.chance.random())
        return content

    # Changes, told to the invariants

    def store(
        self, server: Server, stream: Stream, subject: str, data: bytes, headers: dict[str, str]
    ) -> Answer:
        """A message reaches a stream."""
        now = self.loop.now
        before = stream.last_sequence
        answer = stream.store(subject, data, headers, now=now, time=self.wall_clock(server.site))
        if stream.last_sequence > before:
            message = stream.messages[-1]
            self.tell("store", stream.name, message.sequence, subject, headers.get("ce-id"), what=message)
        else:
            self.tell("not stored", stream.name, subject, headers.get("ce-id"), "error" in answer)
        return answer

    def settle(self, message: "SimulatedMessage", how: Settled) -> None:
        """A message leaves its consumer."""
        if message.consumer.acknowledge(message.sequence, how):
            self.tell("settle", str(message), how.value, what=message)

    def committed(self, commit: Commit) -> None:
        """A batch is in the tables."""
        batch = commit.batch
        self.tell("commit", commit.site, len(batch.happenings), *sorted(batch.positions.items()), what=commit)

    def taken_back(self, database: Database) -> None:
        """A database has lost its last commits."""
        self.tell("crash", f"ops-db {database.site}", what=database)

    def changed(self, disk: Disk, path: str) -> None:
        """A file stands under a new name."""
        self.tell("file", disk.location, path, what=disk)

    def delete(self, disk: Disk, path: str) -> None:
        """A file goes."""
        node = disk.require(path)
        disk.delete(path)
        self.tell("delete", disk.location, path, what=(disk, path, node))

    def archived(self, archive: Archive, key: str) -> None:
        """An archive has an object."""
        self.tell("upload", archive.location, key, what=(archive, key))

    def surprise(self, what: str, error: BaseException) -> None:
        """An error that nobody planned for."""
        self.surprises.append((what, error))
        self.loop.halted = True

    def tell(self, kind: str, *facts: object, what: Any = None) -> None:
        """Note a step, and let everybody look at it."""
        step = Step(round(self.loop.now, 6), kind, facts, what)
        self.trace.append(step)
        for watcher in self.watchers:
            watcher(step)


def spoiled(content: Content, where: str, chance: float) -> Content:
    """Something of which bytes have changed; now and then two files of a package have changed places."""
    if isinstance(content, Tar) and chance < SWAPS and (other := swapped(content)) != content:
        return other
    return Flipped(content, where)
