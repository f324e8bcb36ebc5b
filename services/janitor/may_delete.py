"""May this copy go? The one predicate that every deletion has passed twice.

Invariants:
1. An archive copy never goes.
2. A SOURCE file or BUFFER package goes only while `retention.archive_copies` archive copies are proven, and
   no archive copy of it is known to be damaged or missing: the local one may be what mends it. The package in
   the BUFFER that an archive is filled from goes only when every active archive of that site has it.
3. Nothing goes that is not, byte count and time, what was packaged.
4. What is not known counts against deletion; when acting, what was not looked at does, too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from contracts.problems import Problem
from contracts.states import FileState, PackageState, WorkState
from services.janitor import refusing
from services.janitor.facts import (
    ArchiveCopy,
    ArchiveObject,
    BufferCopy,
    Copy,
    Evidence,
    Moment,
    OnDisk,
    Sight,
    SourceCopy,
    StagedFolder,
    Standing,
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


def _first(rules: tuple[Callable[[C, World], Problem | None], ...], copy: C, world: World) -> Problem | None:
    return next((problem for rule in rules if (problem := rule(copy, world)) is not None), None)


def _packaged(copy: SourceCopy, world: World) -> Problem | None:
    if copy.state is None:
        return refusing.unfiled(copy)
    if copy.state is not FileState.PACKAGED or world.package is None:
        return refusing.not_packaged(copy)
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
    package = world.package
    if package is None:
        return refusing.not_archived(package)
    for archive in package.archives:
        if archive.damage is not None or archive.standing is Standing.DAMAGED:
            return refusing.archive_damaged(package, archive)
        if archive.standing is Standing.MISSING:
            return refusing.archive_missing(package, archive)
    proven = sum(is_proven(archive, world.moment) for archive in package.archives)
    if proven >= world.retention.archive_copies:
        return None
    for archive in package.archives:
        if archive.standing is Standing.UNREACHABLE:
            return refusing.archive_unreachable(package, archive)
    return refusing.too_few(package, proven, world.retention.archive_copies)


def is_proven(archive: ArchiveCopy, moment: Moment) -> bool:
    """Whether an archive copy counts: a proof on record, no damage, and the archive's own word when acting."""
    if archive.proven_at is None or archive.damage is not None:
        return False
    if archive.standing in {Standing.MISSING, Standing.DAMAGED, Standing.UNREACHABLE}:
        return False
    if moment is Moment.DECIDING or archive.evidence is Evidence.RECORDED:
        return True
    return archive.standing is Standing.WHOLE


def _verified(copy: BufferCopy, world: World) -> Problem | None:
    package = world.package
    if package is None:
        return refusing.not_archived(package)
    archived_here = any(archive.site == copy.site for archive in package.archives)
    if package.verified_at is None and not archived_here:
        return refusing.not_verified(package)
    return None


def _fed(copy: BufferCopy, world: World) -> Problem | None:
    package = world.package
    if package is None:
        return refusing.not_archived(package)
    proven = {archive.location for archive in package.archives if archive.proven_at is not None}
    missing = [archive for archive in copy.feeds if archive not in proven]
    return refusing.archive_pending(package, missing) if missing else None


def _not_travelling(_copy: BufferCopy, world: World) -> Problem | None:
    package = world.package
    return refusing.bundle_open(package) if package is not None and package.open_bundles else None


def _waited(_copy: SourceCopy | BufferCopy, world: World) -> Problem | None:
    package = world.package
    if package is None or package.archived_at is None:
        return refusing.not_archived(package)
    due = package.archived_at + world.retention.keep_for
    if world.now >= due or world.used_fraction >= world.retention.high_water:
        return None
    return refusing.kept(due, world)


def _unchanged(copy: SourceCopy, world: World) -> Problem | None:
    return _as_expected(copy, world, (copy.size, copy.mtime_ns))


def _same_size(copy: BufferCopy, world: World) -> Problem | None:
    size = world.package.size if world.package is not None else None
    return _as_expected(copy, world, (size,))


def _as_expected(
    copy: SourceCopy | BufferCopy, world: World, expected: tuple[int | None, ...]
) -> Problem | None:
    match copy.seen:
        case OnDisk(size=size, mtime_ns=mtime_ns):
            found = (size, mtime_ns)[: len(expected)]
            return None if found == expected else refusing.changed(copy, expected, found)
        case Sight.GONE:
            return None
        case Sight.NOT_REGULAR:
            return refusing.not_regular(copy)
        case Sight.NOT_LOOKED:
            return refusing.not_looked(copy) if world.moment is Moment.ACTING else None


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


_SOURCE_RULES: tuple[Callable[[SourceCopy, World], Problem | None], ...] = (
    _packaged,
    _archived,
    _proven,
    _unchanged,
    _waited,
)
_BUFFER_RULES: tuple[Callable[[BufferCopy, World], Problem | None], ...] = (
    _archived,
    _proven,
    _verified,
    _fed,
    _not_travelling,
    _same_size,
    _waited,
)
_STAGED_RULES: tuple[Callable[[StagedFolder, World], Problem | None], ...] = (
    _own_folder,
    _given_back,
    _not_shared,
)
