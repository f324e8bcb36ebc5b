"""Looking for the wanted files: at once, when something happened, when they may be quiet, and now and then."""

import asyncio
import heapq
import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from uuid import UUID

from contracts.base import Event
from contracts.problems import Problem
from libs.bus.publishing import EventPublisher
from libs.errors import Retriable
from libs.sites.models import ScanSettings
from libs.telemetry.logs import logger
from services.scanner.judging import Finding, Incomplete, Now, Ready, Unquiet, judge
from services.scanner.looking import look_at
from services.scanner.telling import missing_events, scanned_events
from services.scanner.watchlist import Hand, Sighting, Wanted, Watched, Watchlist

MOST_REMEMBERED = 50_000
TOGETHER_S = 0.02
"""Files that are due within this time are looked at together."""

RETRY_S = 1.0

log = logger("scanner")


@dataclass(slots=True)
class Outcome:
    """What a look at several files came to."""

    ready: list[tuple[Watched, Sighting]] = field(default_factory=list)
    missing: list[tuple[Watched, Problem]] = field(default_factory=list)

    def scanned(self) -> list[Event]:
        """The events of those that are ready."""
        return scanned_events((watched.wanted, seen) for watched, seen in self.ready)

    def events(self) -> list[Event]:
        """The events of all."""
        return self.scanned() + missing_events((watched.wanted, problem) for watched, problem in self.missing)


class Scanner:
    """Looks for the wanted files of a site.

    Args:
        roots: By SOURCE location, its folder.
        settings: When a file is quiet, missing.
        publisher: Stores what background looks find.
    """

    def __init__(self, roots: Mapping[str, Path], settings: ScanSettings, publisher: EventPublisher) -> None:
        self.watchlist = Watchlist()
        self._roots = roots
        self._quiet_s = settings.quiet.total_seconds()
        self._missing_s = settings.missing_after.total_seconds()
        self._publisher = publisher
        self._due: list[tuple[float, int, Watched]] = []
        self._numbers = count()
        self._wake = asyncio.Event()
        self._announced: OrderedDict[UUID, Wanted] = OrderedDict()

    async def look_for(self, wanted: Sequence[Wanted], *, filed: float, sequence: int) -> list[Event]:
        """Begin to look for files; returns the events of those that are ready now, for a handler to return.

        Args:
            wanted: The files.
            filed: When they were filed (monotonic clock).
            sequence: Of the event that made them wanted.
        """
        fresh = [file for file in wanted if self._announced.get(file.file_id) != file]
        entries = [self.watchlist.add(Watched(file, filed, sequence)) for file in fresh]
        outcome = await self._look(entries)
        # The handler's message comes again if its events cannot be stored: nothing needs to be remembered.
        self.watchlist.drop(watched for watched, _ in outcome.ready)
        self._schedule(0.0, (watched for watched, _ in outcome.missing))
        return outcome.scanned()

    def adopt(self, watched: Watched) -> None:
        """Look for a file that ops-db says is wanted, unless it was announced just now."""
        if self._announced.get(watched.wanted.file_id) != watched.wanted:
            self._schedule(0.0, [self.watchlist.add(watched)])

    def notice(self, location: str, paths: Iterable[str]) -> list[str]:
        """Something happened at these paths; returns those that are folders of wanted files."""
        folders = []
        for path in paths:
            self._schedule(0.0, self.watchlist.at(location, path))
            if below := self.watchlist.below(location, path):
                self._schedule(0.0, below)
                folders.append(path)
        return folders

    def notice_unit(self, unit_id: UUID) -> None:
        """Something happened to an observation."""
        self._schedule(0.0, self.watchlist.of_unit(unit_id))

    def notice_all(self) -> None:
        """The sweep: look at everything."""
        self._schedule(0.0, self.watchlist)

    async def run(self) -> None:
        """Look at what is due, for ever."""
        while True:
            entries = await self._next_due()
            try:
                await self._look_and_tell(entries)
            except Retriable as error:
                log.warning("look_again", files=len(entries), **error.problem.model_dump())
                self._schedule(RETRY_S, entries)

    async def _look_and_tell(self, entries: Sequence[Watched]) -> None:
        outcome = await self._look(entries)
        await self._publisher.publish(outcome.events())
        self.watchlist.drop(watched for watched, _ in outcome.ready)
        for watched, _ in outcome.ready:
            self._remember(watched.wanted)
        for watched, problem in outcome.missing:
            watched.told.add(problem.code)

    async def _look(self, entries: Iterable[Watched]) -> Outcome:
        """Look at those that nobody else looks at, and make appointments with those that are not ready."""
        free = [watched for watched in entries if self._take(watched)]
        outcome = Outcome()
        try:
            for watched, finding in await self._findings(free):
                self._settle(watched, finding, outcome)
        finally:
            for watched in free:
                again, watched.hand = watched.hand is Hand.AGAIN, Hand.FREE
                if again:
                    self._schedule(0.0, [watched])
        return outcome

    async def _findings(self, entries: Iterable[Watched]) -> list[tuple[Watched, Finding]]:
        by_location: dict[str, list[Watched]] = defaultdict(list)
        for watched in entries:
            by_location[watched.wanted.location].append(watched)
        findings: list[tuple[Watched, Finding]] = []
        for location, group in by_location.items():
            root = self._roots.get(location)
            if root is None or not await asyncio.to_thread(root.is_dir):
                # A disk that is not mounted is not an empty one: nothing is missing yet.
                log.warning("location_missing", location=location, path=str(root), files=len(group))
                self._schedule(RETRY_S, group)
                continue
            looks = await asyncio.to_thread(look_at, root, [watched.wanted.path for watched in group])
            now = Now(time.monotonic(), time.time_ns())
            findings += [
                (watched, judge(watched.wanted, watched.seen, look, now, self._quiet_s))
                for watched, look in zip(group, looks, strict=True)
            ]
        return findings

    def _settle(self, watched: Watched, finding: Finding, outcome: Outcome) -> None:
        watched.seen = finding.seen
        now = time.monotonic()
        match finding:
            case Ready(seen=seen):
                outcome.ready.append((watched, seen))
                return
            case Unquiet(again_in=again_in):
                self._schedule(again_in, [watched])
                problem = not_quiet(watched.wanted, self._quiet_s)
                watched.restless = since = now if watched.restless is None else watched.restless
            case Incomplete(problem=problem):
                watched.restless, since = None, watched.filed
        if problem.code in watched.told:
            return
        overdue = now - since - self._missing_s
        if overdue >= 0:
            outcome.missing.append((watched, problem))
        else:
            self._schedule(-overdue, [watched])

    def _take(self, watched: Watched) -> bool:
        if watched.hand is Hand.FREE:
            watched.hand = Hand.BUSY
            return True
        watched.hand = Hand.AGAIN
        return False

    def _schedule(self, delay: float, entries: Iterable[Watched]) -> None:
        when = time.monotonic() + delay
        for watched in entries:
            if watched.due is None or when < watched.due:
                watched.due = when
                heapq.heappush(self._due, (when, next(self._numbers), watched))
        self._wake.set()

    async def _next_due(self) -> list[Watched]:
        while True:
            self._wake.clear()
            now = time.monotonic()
            if self._due and self._due[0][0] <= now:
                return self._pop_due(now + TOGETHER_S)
            wait = self._due[0][0] - now if self._due else None
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _pop_due(self, until: float) -> list[Watched]:
        entries: list[Watched] = []
        while self._due and self._due[0][0] <= until:
            when, _, watched = heapq.heappop(self._due)
            if watched.due != when:
                continue  # an earlier appointment took its place
            watched.due = None
            if self.watchlist.holds(watched):
                entries.append(watched)
        return entries

    def _remember(self, wanted: Wanted) -> None:
        self._announced[wanted.file_id] = wanted
        self._announced.move_to_end(wanted.file_id)
        while len(self._announced) > MOST_REMEMBERED:
            self._announced.popitem(last=False)


def not_quiet(wanted: Wanted, quiet_s: float) -> Problem:
    """The problem of a file that never stops changing."""
    return Problem(
        code="file_not_quiet",
        reason=f"{wanted.path!r} on {wanted.location} is still changing: not {quiet_s:g} s without a change",
        remedy="Let the instrument finish it; if its clock is ahead, set the clock.",
    )
