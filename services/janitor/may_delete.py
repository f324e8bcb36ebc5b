"""May this copy go? The one predicate that every deletion has passed twice.

Invariants:
1. An archive copy never goes.
2. A SOURCE file or BUFFER package goes only while enough archive copies are proven (`evidence`), and no archive
   copy of it is known to be damaged or missing: the local one may be what mends it. The package in the BUFFER
   goes only when every active archive of that site has it and everybody it was sent to.
3. Nothing goes that is not what was packaged: byte count and time, and the content where that is to be read.
4. Nothing goes that somebody holds.
5. What is not known counts against deletion; when acting, what was not looked at does, too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from contracts.problems import Problem
from contracts.states import FileState, PackageState, WorkState
from libs.sites.retention import ContentCheck, Retention
from services.janitor import refusing
from services.janitor.evidence import unproven
from services.janitor.facts import (
    ArchiveObject,
    BufferCopy,
    Copy,
    Moment,
    OnDisk,
    PackageFacts,
    Sight,
    SourceCopy,
    StagedFolder,
    World,
)


@dataclass(frozen=True, slots=True)
class Yes:
    """It may go."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """It stays, for this reason."""

    problem: Problem


Answer = Yes | Refusal
YES = Yes()

C = TypeVar("C")


def may_delete(copy: Copy, world: World) -> Answer:
    """Decide about one copy; pure.

    Args:
        copy: What would go.
        world: Everything that matters. With `Moment.ACTING`, what archive and disk said just now.
    """
    match copy:
        case ArchiveObject():
            problem: Problem | None = refusing.archive_copy(copy)
        case SourceCopy():
            problem = _first(_SOURCE_RULES, copy, world)
        case BufferCopy():
            problem = _first(_BUFFER_RULES, copy, world)
        case StagedFolder():
            problem = _first(_STAGED_RULES, copy, world)
    return YES if problem is None else Refusal(problem)


def due_at(package: PackageFacts, retention: Retention) -> datetime | None:
    """When a copy of a package is old enough to go; None while it is in no archive."""
    return None if package.archived_at is None else package.archived_at + retention.keep_for


def to_be_read(copy: SourceCopy | BufferCopy, world: World, seen: OnDisk) -> bool:
    """Whether the content of a file must be known before it goes."""
    match world.retention.verify_before_delete:
        case ContentCheck.NONE:
            return False
        case ContentCheck.TOUCHED:
            known = _known_since(copy, world)
            return known is None or seen.ctime_ns >= known.timestamp() * 1e9
        case ContentCheck.CHECKSUM:
            return True


def _known_since(copy: SourceCopy | BufferCopy, world: World) -> datetime | None:
    """Since when only a touch of its inode can have changed a file."""
    if isinstance(copy, BufferCopy):
        return copy.landed_at
    return world.package.planned_at if world.package is not None else None


def _first(rules: tuple[Callable[[C, World], Problem | None], ...], copy: C, world: World) -> Problem | None:
    return next((problem for rule in rules if (problem := rule(copy, world)) is not None), None)


def _packaged(copy: SourceCopy, world: World) -> Problem | None:
    if copy.state is None:
        return refusing.unfiled(copy)
    if copy.state is not FileState.PACKAGED or world.package is None:
        return refusing.not_packaged(copy, copy.state)
    if copy.sha256 is None or copy.size is None or copy.mtime_ns is None:
        return refusing.file_unknown(copy)
    return None


def _archived(_copy: SourceCopy | BufferCopy, world: World) -> Problem | None:
    package = world.package
    if package is None or package.state is not PackageState.ARCHIVED or package.archived_at is None:
        return refusing.not_archived(package)
    if package.size is None or package.sha256 is None:
        return refusing.package_unknown(package)
    return None


def _proven(_copy: SourceCopy | BufferCopy, world: World) -> Problem | None:
    return refusing.not_archived(None) if world.package is None else unproven(world.package, world)


def _verified(copy: BufferCopy, world: World) -> Problem | None:
    package = world.package
    if package is None:
        return refusing.not_archived(package)
    archived_here = any(archive.site == copy.site for archive in package.archives)
    if package.unarrived or (package.verified_at is None and not archived_here):
        return refusing.not_verified(package)
    return None


def _fed(copy: BufferCopy, world: World) -> Problem | None:
    package = world.package
    if package is None:
        return refusing.not_archived(package)
    proven = {archive.location for archive in package.archives if archive.proven_at is not None}
    missing = [archive for archive in copy.feeds if archive not in proven]
    return refusing.archive_pending(package, missing) if missing else None


def _not_travelling(copy: BufferCopy, world: World) -> Problem | None:
    package = world.package
    if package is None:
        return refusing.not_archived(package)
    if copy.departs and not package.bundled:
        return refusing.bundle_pending(package)
    return refusing.bundle_open(package) if package.open_bundles else None


def _not_held(copy: SourceCopy | BufferCopy, world: World) -> Problem | None:
    package = world.package
    hold = world.holds.on(
        location=copy.ref.location,
        instrument=package.instrument if package is not None else None,
        unit=package.unit if package is not None else None,
        package=package.id if package is not None else None,
        file=copy.ref.entity_id if isinstance(copy, SourceCopy) else None,
    )
    return None if hold is None else refusing.held(hold)


def _waited(_copy: SourceCopy | BufferCopy, world: World) -> Problem | None:
    due = due_at(world.package, world.retention) if world.package is not None else None
    if due is None:
        return refusing.not_archived(world.package)
    return None if world.now >= due or world.pressed else refusing.kept(due, world.retention)


def _unchanged(copy: SourceCopy, world: World) -> Problem | None:
    return _as_expected(copy, world, (copy.size, copy.mtime_ns), copy.sha256)


def _same_size(copy: BufferCopy, world: World) -> Problem | None:
    package = world.package
    if package is None:
        return refusing.not_archived(package)
    return _as_expected(copy, world, (package.size,), package.sha256)


def _as_expected(
    copy: SourceCopy | BufferCopy, world: World, expected: tuple[int | None, ...], sha256: str | None
) -> Problem | None:
    match copy.seen:
        case OnDisk(size=size, mtime_ns=mtime_ns) as seen:
            found = (size, mtime_ns)[: len(expected)]
            if found != expected:
                return refusing.changed(copy, expected, found)
            return _same_content(copy, world, seen, sha256)
        case Sight.GONE:
            return None
        case Sight.NOT_REGULAR:
            return refusing.not_regular(copy)
        case Sight.NOT_LOOKED:
            return refusing.not_looked(copy) if world.moment is Moment.ACTING else None


def _same_content(
    copy: SourceCopy | BufferCopy, world: World, seen: OnDisk, sha256: str | None
) -> Problem | None:
    if seen.sha256 is not None:
        return None if seen.sha256 == sha256 else refusing.content_changed(copy, sha256, seen.sha256)
    wanted = world.moment is Moment.ACTING and to_be_read(copy, world, seen)
    return refusing.content_unread(copy) if wanted else None


def _own_folder(copy: StagedFolder, world: World) -> Problem | None:
    return refusing.foreign_folder(copy) if world.job is None or copy.path != copy.own else None


def _given_back(copy: StagedFolder, world: World) -> Problem | None:
    job = world.job
    if job is None or (job.released_at is None and job.state is not WorkState.FAILED):
        return refusing.still_staged(copy)
    return None


def _not_shared(copy: StagedFolder, world: World) -> Problem | None:
    return (
        refusing.shared_folder(copy, world.job.sharing)
        if world.job is not None and world.job.sharing
        else None
    )


def _none_held(copy: StagedFolder, world: World) -> Problem | None:
    hold = world.holds.on(location=copy.location)
    for package in world.job.packages if world.job is not None else ():
        hold = hold or world.holds.on(
            location=copy.location, instrument=package.instrument, unit=package.unit, package=package.id
        )
    return None if hold is None else refusing.held(hold)


_SOURCE_RULES: tuple[Callable[[SourceCopy, World], Problem | None], ...] = (
    _packaged,
    _archived,
    _proven,
    _unchanged,
    _not_held,
    _waited,
)
_BUFFER_RULES: tuple[Callable[[BufferCopy, World], Problem | None], ...] = (
    _archived,
    _proven,
    _verified,
    _fed,
    _not_travelling,
    _same_size,
    _not_held,
    _waited,
)
_STAGED_RULES: tuple[Callable[[StagedFolder, World], Problem | None], ...] = (
    _own_folder,
    _given_back,
    _not_shared,
    _none_held,
)
