"""What would go at a location now, what not, and why: the janitor's own decisions, without touching anything."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from contracts.problems import Problem
from libs.groups import TaskGroup
from libs.sites.models import DiskLocation
from libs.sites.retention import Retention
from libs.storage.disk import Space
from services.janitor import ledger
from services.janitor.asking import Asker
from services.janitor.facts import BufferCopy, Moment, PackageFacts, SourceCopy, World
from services.janitor.holds import Holds
from services.janitor.looking import look
from services.janitor.may_delete import Refusal, due_at, may_delete
from services.janitor.premises import Premises
from services.janitor.pressure import excess, is_pressed
from services.janitor.queries import Fetching
from services.janitor.refusing import Code

ASKED_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would become of one copy, or of all that a staging job has in its folder.

    Attributes:
        path: Relative to the location's root.
        id: The file's, package's or staging job's.
        size: Bytes.
        package: The package that it is, or is in; None for a staging job.
        problem: Why it stays; None if it goes.
        due: When its age lets it go, or its job expires, if that is all that is missing.
        copies: How many it stands for.
    """

    path: str
    id: UUID
    size: int
    package: UUID | None
    problem: Problem | None
    due: datetime | None = None
    copies: int = 1


@dataclass(slots=True)
class Group:
    """Copies that stay for the same reason.

    Attributes:
        problem: Of the first of them.
        first_due: When the first of them is old enough, if their age is all that is missing; `last_due` the last.
    """

    problem: Problem
    copies: int = 0
    size: int = 0
    first_due: datetime | None = None
    last_due: datetime | None = None

    def add(self, verdict: Verdict) -> None:
        """Count one more."""
        self.copies += verdict.copies
        self.size += verdict.size
        if verdict.due is not None:
            self.first_due = min(self.first_due or verdict.due, verdict.due)
            self.last_due = max(self.last_due or verdict.due, verdict.due)


@dataclass(slots=True)
class Forecast:
    """What would become of the copies at a location.

    Attributes:
        space: Of its disk; None if it cannot be measured from here.
        pressed: Whether the disk is so full that copies go before their age.
        copies: How many go, with their bytes in `size`; `early` of them before their age.
        stay: By the code of the reason.
        verdicts: On each copy, if they were asked for.
    """

    location: str
    retention: Retention
    space: Space | None
    pressed: bool = False
    copies: int = 0
    size: int = 0
    early: int = 0
    stay: dict[str, Group] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def used_after(self) -> float | None:
        """The fraction of the disk in use when all of that is gone."""
        if self.space is None or not self.space.total:
            return None
        return max(0.0, self.space.used_fraction - self.size / self.space.total)


@dataclass(frozen=True, slots=True)
class Forecaster:
    """Looks at locations of a site.

    Attributes:
        opsdb: A snapshot of the site's ops-db.
        premises: The site.
        holds: Those that stand.
        now: When it would be.
        asker: Asks the archives and looks at the disks as well; None to go by ops-db alone.
    """

    opsdb: Fetching
    premises: Premises
    holds: Holds
    now: datetime
    asker: Asker | None = None

    async def forecast(
        self,
        location: str,
        space: Space | None,
        *,
        pressed: bool = False,
        wanted: Callable[[Verdict], bool] | None = None,
    ) -> Forecast:
        """What would become of every copy at a location.

        Args:
            location: A SOURCE or BUFFER location.
            space: Of its disk.
            pressed: Whether it was found too full before, and not yet relieved.
            wanted: Which verdicts are to be listed; none if left out.
        """
        disk = self.premises.cleared[location]
        found = Forecast(location, disk.retention, space)
        found.pressed = space is not None and is_pressed(space, disk.retention, before=pressed)
        verdicts: list[Verdict] = []
        place: ledger.Place | None = ledger.BEGIN
        asked: dict[UUID, PackageFacts] = {}
        while place is not None:
            page = await ledger.page(self.opsdb, self.premises, location, place)
            verdicts += await self._judged(page, disk, asked)
            place = page.next
        early = _relieving(verdicts, found)
        for verdict in verdicts:
            before_its_age = verdict.package in early and _is_young(verdict)
            found.early += before_its_age
            count(found, replace(verdict, problem=None) if before_its_age else verdict, wanted)
        return found

    async def _judged(
        self, page: ledger.Page, disk: DiskLocation, asked: dict[UUID, PackageFacts]
    ) -> list[Verdict]:
        verdicts = [self._judge(entry, disk) for entry in page.entries]
        if self.asker is None:
            return verdicts
        going = {
            entry.package.id: entry.package
            for entry, verdict in zip(page.entries, verdicts, strict=True)
            if entry.package is not None and (verdict.problem is None or _is_young(verdict))
        }
        await self._ask([one for one in going.values() if one.id not in asked], asked)
        looked = await asyncio.to_thread(_looked, page, disk, {one: asked[one] for one in going})
        return [self._judge(entry, disk) for entry in looked]

    async def _ask(self, packages: list[PackageFacts], asked: dict[UUID, PackageFacts]) -> None:
        """Ask archives for their word; nothing is read back, whatever retention wants before a deletion."""
        room, asker = asyncio.Semaphore(ASKED_AT_ONCE), self.asker

        async def ask(package: PackageFacts) -> None:
            async with room:
                asked[package.id] = package if asker is None else await asker.ask(package)

        async with TaskGroup() as group:
            for package in packages:
                group.create_task(ask(package))

    def _judge(self, entry: ledger.Entry, disk: DiskLocation) -> Verdict:
        copy, package = entry.known.copy, entry.package
        around = World(Moment.DECIDING, self.now, disk.retention, package=package, holds=self.holds)
        match may_delete(copy, around):
            case Refusal(problem=problem):
                young = problem.code == Code.RETENTION and package is not None
                due = due_at(package, disk.retention) if young and package is not None else None
                return _verdict(copy, package, problem, due)
            case _:
                return _verdict(copy, package, None)


def _verdict(
    copy: SourceCopy | BufferCopy,
    package: PackageFacts | None,
    problem: Problem | None,
    due: datetime | None = None,
) -> Verdict:
    ref = copy.ref
    return Verdict(ref.path, ref.entity_id, ref.size, package.id if package else None, problem, due)


def _is_young(verdict: Verdict) -> bool:
    return verdict.problem is not None and verdict.problem.code == Code.RETENTION


def _relieving(verdicts: list[Verdict], found: Forecast) -> frozenset[UUID]:
    """The packages whose copies go before their age: the oldest, and no more than bring the disk below low water."""
    if not found.pressed or found.space is None:
        return frozenset()
    need = excess(found.space, found.retention)
    need -= sum(verdict.size for verdict in verdicts if verdict.problem is None)
    sizes: Counter[UUID] = Counter()
    for verdict in verdicts:
        if _is_young(verdict) and verdict.package is not None:
            sizes[verdict.package] += verdict.size
    chosen = set()
    for package, size in sizes.items():  # in the order of the ledger: the oldest first
        if need <= 0:
            break
        chosen.add(package)
        need -= size
    return frozenset(chosen)


def count(found: Forecast, verdict: Verdict, wanted: Callable[[Verdict], bool] | None) -> None:
    """Add a verdict to a forecast, and list it if it is wanted."""
    if verdict.problem is None:
        found.copies += verdict.copies
        found.size += verdict.size
    else:
        found.stay.setdefault(verdict.problem.code, Group(verdict.problem)).add(verdict)
    if wanted is not None and wanted(verdict):
        found.verdicts.append(verdict)


def _looked(page: ledger.Page, disk: DiskLocation, asked: dict[UUID, PackageFacts]) -> list[ledger.Entry]:
    """The copies of the packages that were asked about, as they are on disk now; nothing is read."""
    looked = []
    for entry in page.entries:
        if entry.package is not None and entry.package.id in asked:
            copy = entry.known.copy
            known = replace(entry.known, copy=replace(copy, seen=look(disk.path, copy.ref.path).seen))
            looked.append(ledger.Entry(known, asked[entry.package.id]))
        else:
            looked.append(entry)
    return looked
