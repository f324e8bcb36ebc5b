"""How far each observation is: a pure fold of the events that the demo watches."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from uuid import UUID

from contracts.base import Event
from contracts.bundles import BundleSealed
from contracts.copies import CopyDeleted
from contracts.files import AssetRendered, FilesAssigned, FilesMissing, FilesRefused, FilesScanned
from contracts.observations import FilesFiled, ObservationFinished, ObservationStarted
from contracts.packages import PackageArchived, PackageSealed, PackageVerified
from contracts.staging import StagingCompleted, StagingFailed
from contracts.states import CopyKind
from contracts.transfers import TransferCompleted


class Station(IntEnum):
    """The stations of the road, in order; a file that is at one was at all before it."""

    FILED = 0
    SCANNED = 1
    PLANNED = 2
    SEALED = 3
    BUNDLED = 4
    MOVED = 5
    VERIFIED = 6
    ARCHIVED = 7


@dataclass(slots=True)
class Track:
    """One observation on its road; `files` counts files by station."""

    name: str
    finished: bool = False
    expected: int = 0
    files: dict[Station, int] = field(default_factory=lambda: dict.fromkeys(Station, 0))
    bytes: int = 0
    troubled: set[UUID] = field(default_factory=set)

    @property
    def done(self) -> bool:
        """Whether every file is archived, or refused, or missing for good."""
        return self.finished and self.files[Station.ARCHIVED] + len(self.troubled) >= self.expected


class Tracker:
    """Folds events into tracks; the same event twice changes nothing."""

    def __init__(self) -> None:
        self.tracks: dict[UUID, Track] = {}
        self.packages: dict[UUID, tuple[UUID, int]] = {}
        self.archived: set[UUID] = set()
        self.bundles: set[UUID] = set()
        self.rendered: set[UUID] = set()
        self.deleted: dict[CopyKind, int] = dict.fromkeys(CopyKind, 0)
        self.staged: dict[UUID, StagingCompleted | StagingFailed] = {}
        self.events = 0
        self._seen: set[tuple[str, Station, object]] = set()

    def see(self, event: Event) -> None:
        """Take one event in."""
        self.events += 1
        match event:
            case ObservationStarted():
                name = event.obs_unit or str(event.executed_obs_unit_id)
                self.tracks.setdefault(event.executed_obs_unit_id, Track(name))
            case FilesFiled():
                self._files(event.executed_obs_unit_id, Station.FILED, (f.file_id for f in event.files))
            case ObservationFinished():
                track = self._track(event.executed_obs_unit_id)
                track.finished, track.expected = True, event.file_count
            case FilesScanned():
                self._files(event.executed_obs_unit_id, Station.SCANNED, (f.file_id for f in event.files))
            case FilesMissing() | FilesRefused():
                self._track(event.executed_obs_unit_id).troubled |= {f.file_id for f in event.files}
            case FilesAssigned():
                self._files(event.executed_obs_unit_id, Station.PLANNED, event.file_ids)
            case _:
                self._package_event(event)

    def _package_event(self, event: Event) -> None:
        match event:
            case PackageSealed():
                unit = event.package.provenance.executed_obs_unit_id
                self.packages[event.package.package_id] = (unit, event.package.file_count)
                self._package(Station.SEALED, event.package.package_id)
                self._track(unit).bytes += event.package.payload_bytes
            case BundleSealed():
                self.bundles.add(event.bundle_id)
                for bundled in event.packages:
                    self._package(Station.BUNDLED, bundled.package.package_id)
            case TransferCompleted():
                for moved in event.packages:
                    self._package(Station.MOVED, moved.package.package_id)
            case PackageVerified():
                self._package(Station.VERIFIED, event.package.package_id)
            case PackageArchived():
                self.packages.setdefault(
                    event.package.package_id,
                    (event.package.provenance.executed_obs_unit_id, event.package.file_count),
                )
                self._package(Station.ARCHIVED, event.package.package_id)
                self.archived.add(event.package.package_id)
            case _:
                self._side_event(event)

    def _side_event(self, event: Event) -> None:
        match event:
            case AssetRendered():
                self.rendered |= {asset.file_id for asset in event.assets}
            case StagingCompleted() | StagingFailed():
                self.staged[event.job_id] = event
            case CopyDeleted():
                for copy in event.copies:
                    self.deleted[copy.kind] += 1
            case _:
                pass

    def _track(self, unit: UUID) -> Track:
        return self.tracks.setdefault(unit, Track(str(unit)))

    def _files(self, unit: UUID, station: Station, ids: Iterable[UUID]) -> None:
        track = self._track(unit)
        for identity in ids:
            if station is Station.SCANNED:
                track.troubled.discard(identity)
            if self._first("file", station, identity):
                track.files[station] += 1

    def _package(self, station: Station, package: UUID) -> None:
        unit, count = self.packages.get(package, (None, 0))
        if unit is not None and self._first("package", station, package):
            self._track(unit).files[station] += count

    def _first(self, what: str, station: Station, identity: object) -> bool:
        key = (what, station, identity)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    @property
    def done(self) -> bool:
        """Whether every observation that was seen is done."""
        return bool(self.tracks) and all(track.done for track in self.tracks.values())
