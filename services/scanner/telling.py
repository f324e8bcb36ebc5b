"""Findings as events, grouped by what they share."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from contracts.base import Event
from contracts.files import FilesMissing, FilesScanned, FilesUnfiled, ProblemFile, ScannedFile, UnfiledFile
from contracts.problems import Problem
from libs.bus.parts import in_parts
from services.scanner.watchlist import Sighting, Wanted

UNFILED_IN_PART = 200
"""Each carries a problem in words."""

Shared = tuple[UUID, str, str, UUID | None]


def scanned_events(ready: Iterable[tuple[Wanted, Sighting]]) -> list[Event]:
    """FilesScanned, sorted by path so that the same files make the same events."""
    groups: dict[Shared, list[ScannedFile]] = defaultdict(list)
    for wanted, seen in ready:
        file = ScannedFile(
            file_id=wanted.file_id,
            path=wanted.path,
            module=wanted.module,
            size=seen.size,
            mtime_ns=seen.mtime_ns,
        )
        groups[_shared(wanted)].append(file)
    return [event for shared, files in groups.items() for event in _scanned(shared, files)]


def missing_events(missing: Iterable[tuple[Wanted, Problem]]) -> list[Event]:
    """FilesMissing, sorted by path."""
    groups: dict[Shared, list[ProblemFile]] = defaultdict(list)
    for wanted, problem in missing:
        file = ProblemFile(file_id=wanted.file_id, path=wanted.path, problem=problem)
        groups[_shared(wanted)].append(file)
    return [event for shared, files in groups.items() for event in _missing(shared, files)]


def unfiled_events(location: str, instrument: str | None, files: Sequence[UnfiledFile]) -> list[Event]:
    """FilesUnfiled, sorted by path."""
    return list(
        in_parts(
            sorted(files, key=lambda file: file.path),
            lambda chunk, part, parts: FilesUnfiled(
                location=location, instrument=instrument, files=chunk, part=part, parts=parts
            ),
            max_items=UNFILED_IN_PART,
        )
    )


def _shared(wanted: Wanted) -> Shared:
    return wanted.unit_id, wanted.instrument, wanted.location, wanted.after


def _scanned(shared: Shared, files: list[ScannedFile]) -> list[FilesScanned]:
    unit_id, instrument, location, after = shared
    return in_parts(
        sorted(files, key=lambda file: file.path),
        lambda chunk, part, parts: FilesScanned(
            executed_obs_unit_id=unit_id,
            instrument=instrument,
            location=location,
            files=chunk,
            after=after,
            part=part,
            parts=parts,
        ),
    )


def _missing(shared: Shared, files: list[ProblemFile]) -> list[FilesMissing]:
    unit_id, instrument, location, after = shared
    return in_parts(
        sorted(files, key=lambda file: file.path),
        lambda chunk, part, parts: FilesMissing(
            executed_obs_unit_id=unit_id,
            instrument=instrument,
            location=location,
            files=chunk,
            after=after,
            part=part,
            parts=parts,
        ),
    )
