"""Files on SOURCE that nobody filed, and entries that nobody can file."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from contracts.base import Event
from contracts.files import CAME_BACK, UnfiledFile
from contracts.problems import Problem
from libs.opsdb.reader import OpsDbReader
from libs.storage.walk import FoundFile, Oddity, WalkBatch, scan_tree
from services.scanner import queries
from services.scanner.telling import unfiled_events

BATCH: Final = 1000
LONGEST_PATH: Final = 4096

ASKED_AGAIN_S: Final = 600.0
"""What was known of the entries of a location is asked for anew after this time: files may be cleared and come back."""

_REMEDIES: Final = {
    "symlink": "File the real file; links are not followed.",
    "unreadable": "Give the user of the scanner and the packager permission to read it.",
    "name_not_utf8": "Rename it to a name in UTF-8.",
}
_OTHER_REMEDY: Final = "Remove it, or write a regular file in its place."

Key = tuple[str, int, int]
"""Path, size and modification time: what is reported once."""


@dataclass(slots=True)
class Memory:
    """What is known of the entries of one location. Holds no more than is on the disk.

    Attributes:
        settled: Hashes of keys that were filed, or reported.
        first_seen: When a key that is neither was first seen (monotonic clock).
        since: When it was empty (monotonic clock).
    """

    since: float
    settled: set[int] = field(default_factory=set)
    first_seen: dict[Key, float] = field(default_factory=dict)

    def fresh(self, now: float) -> "Memory":
        """What may still be relied on."""
        return self if now - self.since < ASKED_AGAIN_S else Memory(now, first_seen=self.first_seen)


class UnfiledSweep:
    """Walks one SOURCE location.

    Args:
        location: Its name.
        root: Its folder.
        folders: Instruments by their folder below the root.
        after_s: How long a file may be there before it has to be filed.
        opsdb: The site's ops-db.
    """

    def __init__(
        self, location: str, root: Path, folders: Mapping[str, str], after_s: float, opsdb: OpsDbReader
    ) -> None:
        self._location = location
        self._root = root
        self._folders = folders
        self._after_s = after_s
        self._opsdb = opsdb
        self._memory = Memory(time.monotonic())

    async def look(self) -> list[Event]:
        """Walk once; returns the events of what was not reported before.

        Raises:
            Retriable: ``location_missing`` or ``opsdb_unavailable``.
        """
        before = self._memory.fresh(time.monotonic())
        self._memory = Memory(before.since)
        try:
            found = await self._explained([file async for file in self._unsettled(before)])
        except BaseException:
            self._memory = before
            raise
        return self._events(found)

    def told(self, events: Iterable[Event]) -> None:
        """These events of `look` are stored."""
        for event in events:
            for file in getattr(event, "files", ()):
                key = (file.path, file.size, file.mtime_ns)
                self._memory.settled.add(hash(key))
                self._memory.first_seen.pop(key, None)

    async def _unsettled(self, before: Memory) -> AsyncIterator[UnfiledFile]:
        batches = scan_tree(self._root, BATCH)
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            entries = [entry for entry in _entries(batch) if not self._known(before, entry)]
            settled = await self._settled(entries)
            for entry in entries:
                if entry.path in settled:
                    self._memory.settled.add(hash(_key(entry)))
                elif await asyncio.to_thread(self._old_enough, before, entry):
                    yield entry

    def _known(self, before: Memory, entry: UnfiledFile) -> bool:
        known = hash(_key(entry)) in before.settled
        if known:
            self._memory.settled.add(hash(_key(entry)))
        return known

    async def _settled(self, entries: Sequence[UnfiledFile]) -> set[str]:
        if not entries:
            return set()
        files = [FoundFile(entry.path, entry.size, entry.mtime_ns) for entry in entries]
        told = await queries.told_unfiled(self._opsdb, self._location, files)
        whole = [entry.path for entry in entries if entry.problem is None]
        return told | (await queries.filed(self._opsdb, self._location, whole) if whole else set())

    async def _explained(self, found: Sequence[UnfiledFile]) -> list[UnfiledFile]:
        """The same, with what is to be said of those that were filed before, and deleted."""
        paths = [entry.path for entry in found if entry.problem is None]
        cleared = await queries.cleared(self._opsdb, self._location, paths) if paths else set()
        return [
            entry.model_copy(update={"problem": _came_back(entry)})
            if entry.problem is None and entry.path in cleared
            else entry
            for entry in found
        ]

    def _old_enough(self, before: Memory, entry: UnfiledFile) -> bool:
        """By our own observation, or by the disk's word on when the entry came to its place."""
        now = time.monotonic()
        since = before.first_seen.get(_key(entry), now)
        self._memory.first_seen[_key(entry)] = since
        return now - since >= self._after_s or _age_s(self._root / entry.path) >= self._after_s

    def _events(self, found: Sequence[UnfiledFile]) -> list[Event]:
        by_instrument: dict[str | None, list[UnfiledFile]] = {}
        for file in found:
            by_instrument.setdefault(self._instrument(file.path), []).append(file)
        return [
            event
            for instrument, files in by_instrument.items()
            for event in unfiled_events(self._location, instrument, files)
        ]

    def _instrument(self, path: str) -> str | None:
        for folder, instrument in self._folders.items():
            if path == folder or path.startswith(f"{folder}/"):
                return instrument
        return None


def _entries(batch: WalkBatch) -> Iterator[UnfiledFile]:
    for file in batch.files:
        if len(file.path) <= LONGEST_PATH:
            yield UnfiledFile(path=file.path, size=file.size, mtime_ns=file.mtime_ns)
    for oddity in batch.oddities:
        yield UnfiledFile(path=oddity.path[:LONGEST_PATH], size=0, mtime_ns=0, problem=_problem(oddity))


def _problem(oddity: Oddity) -> Problem:
    return Problem(
        code=oddity.code,
        reason=f"{oddity.path!r}: {oddity.reason}",
        remedy=_REMEDIES.get(oddity.code, _OTHER_REMEDY),
    )


def _came_back(entry: UnfiledFile) -> Problem:
    return Problem(
        code=CAME_BACK,
        reason=f"{entry.path!r} was filed, archived and deleted here before; a file stands there again",
        remedy="Remove it if somebody put the archived one back; file it if it is a new one.",
    )


def _key(entry: UnfiledFile) -> Key:
    return entry.path, entry.size, entry.mtime_ns


def _age_s(path: Path) -> float:
    """Seconds since an entry last changed in any way, its name and place included; 0 if that cannot be told."""
    try:
        found = path.lstat()
    except OSError:
        return 0.0
    return (time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns)) / 1e9
