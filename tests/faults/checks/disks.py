"""The disks: nothing is gone that should be there, nothing is left that should be gone."""

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from contracts.copies import CopyDeleted, CopyRef
from contracts.packages import PackageArchived, PackageCorrupted
from contracts.states import CopyKind
from tests.faults.checks.world import World
from tests.faults.deployment import (
    ARCHIVES,
    CENTRE_BUFFER,
    PROCESSING,
    SOURCE,
    TELESCOPE_BUFFER,
)
from tests.faults.ledger import sha256_of

BUFFERS = (TELESCOPE_BUFFER, CENTRE_BUFFER)
QUARANTINE = ".quarantine"
STAYING = {QUARANTINE, ".repairs"}
"""Hidden folders that a BUFFER keeps; what is left in the second shows by its name."""
LATEST = datetime.max.replace(tzinfo=UTC)


async def kept(world: World) -> list[str]:
    """What is not in every archive is still in SOURCE as it was written, and so is what nobody filed."""
    return await asyncio.to_thread(_kept, world)


def _kept(world: World) -> list[str]:
    root = world.system.disk(SOURCE)
    told = [
        f"{path} was not filed, and was touched"
        for path, digest in world.ledger.decoys.items()
        if _digest(path) != digest
    ]
    for file_id, (observation, file) in world.ledger.files.items():
        path = root / observation.instrument / file.path
        archived = world.chronicle.is_archived(file_id, ARCHIVES)
        if not archived and file_id not in world.ledger.damaged and _digest(path) != file.sha256:
            told.append(f"{path} is not archived, and is not in SOURCE any more as it was written")
        if not archived and file_id in world.ledger.damaged and not path.exists():
            told.append(f"{path} is damaged and not archived, and was deleted")
    return told


def _digest(path: Path) -> str | None:
    try:
        return sha256_of(path)
    except FileNotFoundError:
        return None


async def grounds(world: World) -> list[str]:
    """Every deletion had its grounds: by the servers' clocks, all archives had the package before."""
    archived: dict[UUID, dict[str, datetime]] = {}
    deletions: list[tuple[datetime, CopyRef]] = []
    for entry in (entry for entries in world.chronicle.entries.values() for entry in entries):
        match entry.event:
            case PackageArchived(package=package, location=location):
                archived.setdefault(package.package_id, {}).setdefault(location, entry.time)
            case CopyDeleted(copies=copies):
                deletions += [(entry.time, copy) for copy in copies]
            case _:
                pass
    told = [f"an archive copy was deleted: {copy}" for _, copy in deletions if copy.location in ARCHIVES]
    for when, copy in deletions:
        for identity in _packages(world, copy):
            late = [one for one in ARCHIVES if archived.get(identity, {}).get(one, LATEST) > when]
            if late:
                told.append(f"{copy.path} at {copy.location} was deleted before {', '.join(late)} had it")
    return told


def _packages(world: World, copy: CopyRef) -> tuple[UUID, ...]:
    """The packages without which a copy may not go."""
    if copy.location == PROCESSING:
        return ()
    if copy.kind is CopyKind.RAW_DATA_FILE:
        return tuple(world.chronicle.package_of.get(copy.entity_id, ())) or (copy.entity_id,)
    return (copy.entity_id,)


async def cleared(world: World) -> list[str]:
    """What is archived has gone from SOURCE and the BUFFERs, what was staged and released from PROCESSING."""
    return await asyncio.to_thread(_cleared, world)


def _cleared(world: World) -> list[str]:
    told = []
    root = world.system.disk(SOURCE)
    for file_id, (observation, file) in world.ledger.files.items():
        path = root / observation.instrument / file.path
        if world.chronicle.is_archived(file_id, ARCHIVES) and os.path.lexists(path):
            told.append(f"{path} is archived, and still in SOURCE")
    told += [
        f"{path} is still in the BUFFER"
        for path in _packages_in(world)
        if path.name not in _kept_names(world)
    ]
    told += [
        f"job {job.id} is released, and its folder is still there"
        for job in world.ledger.jobs.values()
        if job.released and (world.system.disk(PROCESSING) / "staging" / str(job.id)).exists()
    ]
    return told


def _packages_in(world: World) -> Iterator[Path]:
    for buffer in BUFFERS:
        for path in _files(world.system.disk(buffer)):
            if path.name.endswith(".tar") and QUARANTINE not in path.parts:
                yield path


def _kept_names(world: World) -> set[str]:
    sealed = world.chronicle.sealed
    return {sealed[one].package.name for one in world.allowed.kept if one in sealed}


async def leftovers(world: World) -> list[str]:
    """No hidden file or folder is left anywhere (all that is temporary is), and of damaged arrivals only the newest."""
    return await asyncio.to_thread(_leftovers, world)


def _leftovers(world: World) -> list[str]:
    told, quarantined = [], 0
    for path in _files(world.system.workdir.path / "sites"):
        if path.name.startswith("."):
            told.append(f"{path} was left behind")
        quarantined += QUARANTINE in path.parts
    expected = 1 if any(world.chronicle.of(PackageCorrupted)) else 0
    if quarantined > expected:
        told.append(f"{quarantined} damaged arrivals are kept, of {expected}: the newest one")
    return told


def _files(folder: Path) -> Iterator[Path]:
    """Every file, and every hidden folder but those that stay; folders may vanish meanwhile."""
    for top, folders, names in os.walk(folder):
        yield from (Path(top, name) for name in names)
        yield from (Path(top, name) for name in folders if name.startswith(".") and name not in STAYING)
