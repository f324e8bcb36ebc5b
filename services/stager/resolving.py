"""Which packages hold what was asked for: a pure decision on what ops-db knows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from contracts.staging import Selection
from contracts.states import FileState, ObservationState, PackageState
from libs.errors import Permanent, Retriable

SHOWN = 5


@dataclass(frozen=True, slots=True)
class KnownUnit:
    """An observation.

    Attributes:
        state: None if only its name is known yet.
        awaited: How many of its files are still on their way into a package.
    """

    id: UUID
    state: ObservationState | None
    awaited: int


@dataclass(frozen=True, slots=True)
class KnownPackage:
    """A package; everything but its id may be unknown yet."""

    id: UUID
    unit_id: UUID | None
    state: PackageState | None
    name: str | None
    size: int | None
    sha256: str | None
    payload_bytes: int | None


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file, and the package it is in."""

    id: UUID
    path: str
    size: int | None
    state: FileState | None
    package_id: UUID | None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What ops-db knows about a selection: the packages of its units and files included, each by its id."""

    units: Mapping[UUID, KnownUnit] = field(default_factory=dict)
    packages: Mapping[UUID, KnownPackage] = field(default_factory=dict)
    files: Mapping[UUID, KnownFile] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A package to recall.

    Attributes:
        size: Bytes of the tar.
        sha256: Of the tar.
        paths: The files to unpack; None for all.
        payload_bytes: Bytes of the files to unpack.
    """

    package_id: UUID
    name: str
    size: int
    sha256: str
    paths: frozenset[str] | None
    payload_bytes: int


def resolve(selection: Selection, known: Catalogue) -> tuple[Wanted, ...]:
    """The archived packages of a selection, by name, each once.

    Raises:
        Permanent: ``unknown_selection``, ``package_abandoned``.
        Retriable: ``not_archived``: something of it is not in an archive yet.
    """
    _require_known(selection, known)
    _require_packed(selection, known)
    whole = {known.packages[one] for one in selection.package_ids} | set(_of_units(selection, known))
    partial = _by_package(known.files[one] for one in selection.file_ids)
    chosen = {package.id: package for package in whole} | {one: known.packages[one] for one in partial}
    _require_archived(chosen.values())
    complete = {package.id for package in whole}
    wanted = [_wanted(package, None if key in complete else partial[key]) for key, package in chosen.items()]
    return tuple(sorted(wanted, key=lambda found: (found.name, found.package_id)))


def _require_known(selection: Selection, known: Catalogue) -> None:
    unknown = [
        *(f"observation {one}" for one in selection.executed_obs_unit_ids if one not in known.units),
        *(f"package {one}" for one in selection.package_ids if one not in known.packages),
        *(f"file {one}" for one in selection.file_ids if one not in known.files),
    ]
    if unknown:
        raise Permanent(
            "unknown_selection",
            f"this site's ops-db does not know {_some(unknown)}",
            "Look the ids up and ask again with those that exist.",
        )
    abandoned = [
        str(one) for one in selection.package_ids if known.packages[one].state is PackageState.ABANDONED
    ]
    if abandoned:
        raise Permanent(
            "package_abandoned",
            f"these plans of packages were given up: {_some(abandoned)}",
            "Ask for the observation: its files travel in other packages.",
        )


def _require_packed(selection: Selection, known: Catalogue) -> None:
    units = [known.units[one] for one in selection.executed_obs_unit_ids]
    waiting = [
        f"observation {unit.id} still runs"
        for unit in units
        if unit.state in {None, ObservationState.RUNNING}
    ]
    waiting += [f"observation {unit.id} has {unit.awaited} unpacked files" for unit in units if unit.awaited]
    files = [known.files[one] for one in selection.file_ids]
    waiting += [
        f"file {file.id} is in no sealed package ({file.state or 'unknown'})"
        for file in files
        if file.state is not FileState.PACKAGED or file.package_id not in known.packages
    ]
    if waiting:
        raise _not_archived(waiting)


def _of_units(selection: Selection, known: Catalogue) -> Iterable[KnownPackage]:
    units = set(selection.executed_obs_unit_ids)
    return (
        package
        for package in known.packages.values()
        if package.unit_id in units and package.state is not PackageState.ABANDONED
    )


def _by_package(files: Iterable[KnownFile]) -> dict[UUID, tuple[KnownFile, ...]]:
    grouped: dict[UUID, tuple[KnownFile, ...]] = {}
    for file in files:
        if file.package_id is not None:
            grouped[file.package_id] = (*grouped.get(file.package_id, ()), file)
    return grouped


def _require_archived(packages: Iterable[KnownPackage]) -> None:
    waiting = [
        f"package {package.name or package.id} is {package.state or 'unknown'}"
        for package in packages
        if package.state is not PackageState.ARCHIVED
    ]
    if waiting:
        raise _not_archived(sorted(waiting))


def _wanted(package: KnownPackage, files: tuple[KnownFile, ...] | None) -> Wanted:
    if (
        package.name is None
        or package.size is None
        or package.sha256 is None
        or package.payload_bytes is None
    ):
        raise _not_archived([f"package {package.id} is archived, but what was sealed is not known here yet"])
    if files is None:
        paths, payload = None, package.payload_bytes
    else:
        paths, payload = frozenset(file.path for file in files), sum(file.size or 0 for file in set(files))
    return Wanted(package.id, package.name, package.size, package.sha256, paths, payload)


def _not_archived(waiting: list[str]) -> Retriable:
    return Retriable(
        "not_archived",
        f"not everything that was asked for is archived yet: {_some(waiting)}",
        "Nothing, if data is on its way: it is looked at again by itself. 'chasqui explain ID' says what it waits for.",
    )


def _some(words: list[str]) -> str:
    more = len(words) - SHOWN
    return ", ".join(words[:SHOWN]) + (f" and {more} more" if more > 0 else "")
