"""What the scanner looks for, in memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filed file that is not scanned yet.

    Attributes:
        path: Relative to the SOURCE location's root.
        size: As declared, if it was.
        after: The event that made the scanner look again; None the first time.
    """

    file_id: UUID
    unit_id: UUID
    instrument: str
    module: str
    location: str
    path: str
    size: int | None = None
    after: UUID | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a file looked like.

    Attributes:
        since: Since when it looks so (seconds, monotonic clock).
        timely: Whether its modification time says how long it has been quiet. Not once it was seen to change:
            clocks of instruments and file servers differ.
    """

    size: int
    mtime_ns: int
    since: float
    timely: bool = True


class Hand(Enum):
    """Whether a wanted file is being looked at."""

    FREE = "free"
    """It is not."""
    BUSY = "busy"
    """It is; nobody else looks meanwhile."""
    AGAIN = "again"
    """It is, and something happened meanwhile: look once more."""


@dataclass(slots=True)
class Watched:
    """A wanted file and what was seen of it so far.

    Attributes:
        filed: When it was filed (seconds, monotonic clock).
        sequence: Of the event that made it wanted, or of the end of the log when it came from ops-db.
        seen: The last sighting, if it was there.
        restless: Since when it is complete but for its changing (monotonic clock); None if it is not.
        told: Codes that were reported as missing.
        hand: Whether it is being looked at.
        due: When it is to be looked at next (monotonic clock); None if nothing is planned but the sweep.
    """

    wanted: Wanted
    filed: float
    sequence: int
    seen: Sighting | None = None
    restless: float | None = None
    told: set[str] = field(default_factory=set)
    hand: Hand = Hand.FREE
    due: float | None = None


class Watchlist:
    """All wanted files of a site."""

    def __init__(self) -> None:
        self._by_id: dict[UUID, Watched] = {}
        self._by_path: dict[tuple[str, str], set[UUID]] = {}
        self._below: dict[tuple[str, str], set[UUID]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Watched]:
        return iter(list(self._by_id.values()))

    def __contains__(self, file_id: UUID) -> bool:
        return file_id in self._by_id

    def holds(self, watched: Watched) -> bool:
        """Whether this very entry is looked for, not one that came in its place."""
        return self._by_id.get(watched.wanted.file_id) is watched

    def add(self, watched: Watched) -> Watched:
        """Look for a file; what was seen of it stays known if it is the same declaration, or an older one."""
        wanted = watched.wanted
        known = self._by_id.get(wanted.file_id)
        if known is not None and (known.wanted == wanted or known.sequence > watched.sequence):
            return known
        self._by_id[wanted.file_id] = watched
        self._by_path.setdefault((wanted.location, wanted.path), set()).add(wanted.file_id)
        for folder in _folders(wanted.path):
            self._below.setdefault((wanted.location, folder), set()).add(wanted.file_id)
        return watched

    def drop(self, watched: Iterable[Watched]) -> None:
        """Look no more for these, unless one was declared anew meanwhile."""
        for entry in watched:
            wanted = entry.wanted
            if self._by_id.get(wanted.file_id) is not entry:
                continue
            del self._by_id[wanted.file_id]
            _discard(self._by_path, (wanted.location, wanted.path), wanted.file_id)
            for folder in _folders(wanted.path):
                _discard(self._below, (wanted.location, folder), wanted.file_id)

    def at(self, location: str, path: str) -> list[Watched]:
        """Those at a path of a location."""
        return [self._by_id[file_id] for file_id in self._by_path.get((location, path), ())]

    def below(self, location: str, folder: str) -> list[Watched]:
        """Those in a folder of a location, or in folders below it."""
        return [self._by_id[file_id] for file_id in self._below.get((location, folder), ())]

    def of_unit(self, unit_id: UUID) -> list[Watched]:
        """Those of one observation."""
        return [entry for entry in self._by_id.values() if entry.wanted.unit_id == unit_id]


def _folders(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _discard(index: dict[tuple[str, str], set[UUID]], key: tuple[str, str], file_id: UUID) -> None:
    index[key].discard(file_id)
    if not index[key]:
        del index[key]
