"""What goes wrong at a time rather than on an occasion: servers fall, links are cut, disks fill, bytes rot."""

import math
from collections.abc import Callable

from contracts.base import derived_id
from tests.simulation.chaos import Fault
from tests.simulation.sites import CENTRE, RELAY, TELESCOPE
from tests.simulation.storage.archive import Archive
from tests.simulation.storage.contents import Tar
from tests.simulation.storage.disk import Mount
from tests.simulation.story.truth import Truth
from tests.simulation.world import World, spoiled

POISONED = ("package.sealed.v1", "files.scanned.v9", "observation.files_filed.v1", "transfer.completed.v1")


class Outages:
    """The faults that are planned when a history begins.

    Args:
        world: Where.
        truth: Where damage is written down.
        until: Seconds of the storm.
    """

    def __init__(self, world: World, truth: Truth, until: float) -> None:
        self.world = world
        self._truth = truth
        self._until = until
        self._chance = world.chaos.chance
        self.cut_to_the_end = False

    def plan(self) -> None:
        """Draw what will happen, and when."""
        for fault, happens in self._kinds().items():
            if self.world.chaos.has(fault):
                for _ in range(1 + int(self._chance.random() * 3)):
                    self._at_some_time(fault, happens)
        if self.world.chaos.has(Fault.ARCHIVE_ROT) and len(self.world.archives) > 1:
            for _ in range(3):
                self._at_some_time(Fault.ARCHIVE_ROT, self._rot_archived)
        if self.world.chaos.has(Fault.SITE_CUTS) and self._chance.random() < 0.5:
            self.cut_to_the_end = True
            self._cut(self._site(), self._chance.random() * self._until, forever=True)

    def _kinds(self) -> dict[Fault, Callable[[float, float], None]]:
        return {
            Fault.BUS_OUTAGES: self._bus,
            Fault.OPSDB_OUTAGES: self._opsdb,
            Fault.SITE_CUTS: lambda _, length: self._cut_for(length),
            Fault.ARCHIVE_OUTAGES: self._archive,
            Fault.FULL_DISKS: self._full,
            Fault.LOST_DISKS: self._lost,
            Fault.BIT_ROT: self._rot,
            Fault.CLOCK_JUMPS: self._clock,
            Fault.POISON: self._poison,
        }

    def _at_some_time(self, fault: Fault, happens: Callable[[float, float], None]) -> None:
        begin = self._chance.random() * self._until
        length = 1.0 + self._chance.random() ** 2 * 50.0
        choice = self._chance.random()

        def strike() -> None:
            if not self.world.chaos.calm and self.world.chaos.counts(
                fault, self.world.loop.now, f"for {length:.1f} s"
            ):
                happens(choice, length)

        self.world.outside(begin, strike)

    def _pick(self, names: list[str], choice: float) -> str:
        return names[int(choice * len(names))]

    def _site(self) -> str:
        far = [RELAY] if RELAY in self.world.servers else []
        return self._pick([TELESCOPE, CENTRE, *far], self._chance.random())

    def _bus(self, choice: float, length: float) -> None:
        server = self.world.servers[self._pick(list(self.world.servers), choice)]
        server.up = False
        self.world.tell("outage", f"bus {server.site}", round(length, 3))
        self.world.outside(length, lambda: self.end_bus(server.site))

    def end_bus(self, site: str) -> None:
        """A NATS server is back."""
        if not self.world.servers[site].up:
            self.world.tell("back", f"bus {site}")
            self.world.servers[site].restart()
            self.world.mirrors.wake()

    def _opsdb(self, choice: float, length: float) -> None:
        database = self.world.databases[self._pick(list(self.world.databases), choice)]
        database.crash(int(self._chance.random() * 4))
        self.world.outside(length, lambda: setattr(database, "up", True))

    def _cut_for(self, length: float) -> None:
        self._cut(self._site(), 0.0, forever=False, length=length)

    def _cut(self, site: str, after: float, *, forever: bool, length: float = 0.0) -> None:
        def cut() -> None:
            if not self.world.chaos.calm and self.world.chaos.counts(
                Fault.SITE_CUTS, self.world.loop.now, site
            ):
                self.world.cut.add(site)
                self.world.tell("cut", site)
                if not forever:
                    self.world.outside(length, lambda: self.heal(site))

        self.world.outside(after, cut)

    def heal(self, site: str) -> None:
        """The link to a site is there again."""
        if site in self.world.cut:
            self.world.cut.discard(site)
            self.world.tell("healed", site)
            self.world.mirrors.wake()

    def _archive(self, choice: float, length: float) -> None:
        archive = self.world.archives[self._pick(list(self.world.archives), choice)]
        archive.up = False
        self.world.tell("outage", archive.location, round(length, 3))
        self.world.outside(length, lambda: setattr(archive, "up", True))

    def _full(self, choice: float, length: float) -> None:
        disk = self.world.disks[self._pick(list(self.world.disks), choice)]
        disk.reserved = disk.capacity
        self.world.tell("full", disk.location, round(length, 3))
        self.world.outside(length, lambda: setattr(disk, "reserved", 0))

    def _lost(self, choice: float, length: float) -> None:
        disk = self.world.disks[self._pick(list(self.world.disks), choice)]
        disk.mount = Mount.EMPTY if self._chance.random() < 0.5 else Mount.GONE
        self.world.tell("lost", disk.location, disk.mount.value, round(length, 3))
        self.world.outside(length, lambda: setattr(disk, "mount", Mount.THERE))

    def _rot(self, choice: float, _length: float) -> None:
        """A package that lies in a BUFFER rots; of an archive's copies one is always left whole."""
        lying = [(disk, path) for disk in self.world.disks.values() for path, node in disk.nodes.items()
                 if isinstance(node.content, Tar)]  # fmt: skip
        if not lying:
            return
        disk, path = lying[int(choice * len(lying))]
        where = f"{disk.location}:{path} at {self.world.loop.now:.6f}"
        disk.spoil(path, spoiled(disk.nodes[path].content, where, self._chance.random()))
        self._truth.damaged[disk.location, path] = self.world.loop.now
        self.world.tell("rot", disk.location, path, what=disk)

    def _rot_archived(self, choice: float, _length: float) -> None:
        """Of one of the copies of a package bytes change, if another archive has it whole."""
        whole = [
            (archive, key)
            for archive in self.world.archives.values()
            for key, found in archive.objects.items()
            if isinstance(found.content, Tar)
            and any(
                self._same(found.content, other, key)
                for other in self.world.archives.values()
                if other is not archive
            )
        ]
        if not whole:
            return
        archive, key = whole[int(choice * len(whole))]
        where = f"{archive.location}:{key} at {self.world.loop.now:.6f}"
        archive.spoil(key, spoiled(archive.objects[key].content, where, self._chance.random()))
        self._truth.damaged[archive.location, key] = self.world.loop.now
        self._truth.rotten.add((archive.location, key))
        self.world.tell("rot", archive.location, key)

    def _same(self, content: Tar, other: Archive, key: str) -> bool:
        there = other.objects.get(key)
        return there is not None and there.content == content

    def _clock(self, choice: float, length: float) -> None:
        site = self._pick(list(self.world.clocks), choice)
        forward = self._chance.random() < 0.5
        seconds = math.exp(self._chance.random() * math.log(3600.0))
        self.world.clocks[site] = seconds if forward else -seconds
        self.world.tell("clock", site, round(self.world.clocks[site], 3))
        self.world.outside(length, lambda: self.world.clocks.__setitem__(site, 0.0))

    def _poison(self, choice: float, _length: float) -> None:
        server = self.world.servers[self._pick(list(self.world.servers), choice)]
        subject = f"chasqui.{server.site}.{self._pick(list(POISONED), self._chance.random())}"
        key = str(derived_id("poison", self.world.seed, self.world.loop.now))
        headers = {"Nats-Msg-Id": key} if self._chance.random() < 0.5 else {}
        if server.up:
            self.world.store(server, server.own, subject, b'{"half": ', headers)
            self._truth.poison.add((server.own.name, server.own.last_sequence))

    def end(self) -> None:
        """Nothing more goes wrong, and what is wrong ends: all but a cut that is meant to last."""
        self.world.chaos.calm = True
        for site in self.world.servers:
            self.end_bus(site)
            self.world.databases[site].up = True
            self.world.clocks[site] = 0.0
        for archive in self.world.archives.values():
            archive.up = True
        for disk in self.world.disks.values():
            disk.reserved, disk.mount = 0, Mount.THERE

    def end_cuts(self) -> None:
        """Every link is there again."""
        for site in sorted(self.world.cut):
            self.heal(site)
