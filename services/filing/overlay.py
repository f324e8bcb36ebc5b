"""The filing events that ops-db has not applied yet, folded in memory."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from typing import TypeVar
from uuid import UUID

from contracts.associations import Exposure, ExposureNamed
from contracts.base import Event
from contracts.observations import FiledFile, FilesFiled, ObservationFinished, ObservationStarted
from contracts.states import FileState
from services.filing.logtail import Found
from services.filing.world import KnownFile, KnownUnit

T = TypeVar("T")


class Overlay:
    """What a site's filing events say, between the position of ops-db and the end of the log.

    Attributes:
        files: How many registrations of files it holds.
    """

    def __init__(self) -> None:
        self.files = 0
        self._events: deque[tuple[int, Event]] = deque()
        self._started: dict[UUID, tuple[int, ObservationStarted]] = {}
        self._finished: dict[UUID, tuple[int, ObservationFinished]] = {}
        self._exposures: dict[UUID, tuple[int, Exposure]] = {}
        self._filed: dict[tuple[str, str], dict[UUID, tuple[int, FiledFile]]] = defaultdict(dict)
        self._file_ids: dict[UUID, dict[UUID, int]] = defaultdict(dict)
        self._last: dict[UUID, tuple[int, UUID]] = {}

    @property
    def held(self) -> int:
        """How much it keeps in memory: registrations of files."""
        return self.files

    def take(self, found: Found) -> None:
        """Add what was found in the log, unless it cannot be read."""
        if found.event is not None:
            self.apply(found.sequence, found.event, found.event_id)

    def apply(self, sequence: int, event: Event, event_id: UUID) -> None:
        """Add an event; sequences rise."""
        self._events.append((sequence, event))
        match event:
            case ObservationStarted():
                self._started.setdefault(event.executed_obs_unit_id, (sequence, event))
            case ObservationFinished():
                self._finished.setdefault(event.executed_obs_unit_id, (sequence, event))
            case FilesFiled():
                self._apply_files(sequence, event, event_id)
            case ExposureNamed():
                self._exposures.setdefault(event.executed_obs_unit_id, (sequence, event.exposure))
            case _:
                pass

    def prune(self, position: int) -> None:
        """Forget what ops-db has applied up to `position`."""
        while self._events and self._events[0][0] <= position:
            sequence, event = self._events.popleft()
            match event:
                case ObservationStarted(executed_obs_unit_id=unit):
                    _drop(self._started, unit, sequence)
                case ObservationFinished(executed_obs_unit_id=unit):
                    _drop(self._finished, unit, sequence)
                case FilesFiled():
                    self._forget_files(sequence, event)
                case ExposureNamed(executed_obs_unit_id=unit):
                    _drop(self._exposures, unit, sequence)
                case _:
                    pass

    def unit(self, unit_id: UUID, known: KnownUnit | None) -> KnownUnit | None:
        """An observation, given what ops-db knows of it."""
        _, started = self._started.get(unit_id, (0, None))
        _, finished = self._finished.get(unit_id, (0, None))
        if known is not None:
            return KnownUnit(known.started, known.finished or finished)
        return None if started is None else KnownUnit(started, finished)

    def exposure(self, unit_id: UUID) -> Exposure | None:
        """The exposure that an observation was named as, in what ops-db has not applied yet."""
        _, exposure = self._exposures.get(unit_id, (0, None))
        return exposure

    def mine(
        self, unit_id: UUID, location: str, paths: Iterable[str], known: Mapping[str, KnownFile]
    ) -> dict[str, KnownFile]:
        """An observation's files at these paths, given those that ops-db knows."""
        files = dict(known)
        for path in paths:
            if entry := self._filed.get((location, path), {}).get(unit_id):
                file = entry[1]
                files[path] = KnownFile(file.module, file.size, file.sha256, FileState.FILED)
        return files

    def elsewhere(
        self, unit_id: UUID, location: str, paths: Iterable[str], known: Mapping[str, UUID]
    ) -> dict[str, UUID]:
        """Other observations that have a file at these paths, given those that ops-db knows."""
        others = dict(known)
        for path in paths:
            for other in self._filed.get((location, path), {}):
                if other != unit_id:
                    others[path] = other
        return others

    def file_ids(self, unit_id: UUID) -> frozenset[UUID]:
        """The ids of an observation's files here; ops-db may know some of them, too."""
        return frozenset(self._file_ids.get(unit_id, {}))

    def file(self, file_id: UUID) -> FiledFile | None:
        """A file by its id, as it was declared last; None if it is not here."""
        found = [
            entry for units in self._filed.values() for entry in units.values() if entry[1].file_id == file_id
        ]
        return max(found, key=lambda entry: entry[0])[1] if found else None

    def last(self, unit_id: UUID, known: UUID | None) -> UUID | None:
        """The id of the observation's latest FilesFiled, given the latest one that ops-db knows."""
        return self._last[unit_id][1] if unit_id in self._last else known

    def _apply_files(self, sequence: int, event: FilesFiled, event_id: UUID) -> None:
        unit = event.executed_obs_unit_id
        for file in event.files:
            self._filed[event.location, file.path][unit] = (sequence, file)
            self._file_ids[unit][file.file_id] = sequence
        self._last[unit] = (sequence, event_id)
        self.files += len(event.files)

    def _forget_files(self, sequence: int, event: FilesFiled) -> None:
        unit = event.executed_obs_unit_id
        for file in event.files:
            key = (event.location, file.path)
            if key in self._filed and not _drop(self._filed[key], unit, sequence):
                del self._filed[key]
            if unit in self._file_ids and self._file_ids[unit].get(file.file_id) == sequence:
                del self._file_ids[unit][file.file_id]
        if not self._file_ids.get(unit):
            self._file_ids.pop(unit, None)
        _drop(self._last, unit, sequence)
        self.files -= len(event.files)


def _drop(entries: dict[UUID, tuple[int, T]], unit: UUID, sequence: int) -> int:
    """Remove an entry if it came with `sequence`; return how many are left."""
    if unit in entries and entries[unit][0] == sequence:
        del entries[unit]
    return len(entries)
