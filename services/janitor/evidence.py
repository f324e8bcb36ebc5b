"""Whether enough archives are known to hold a package: pure."""

from collections.abc import Iterable
from datetime import timedelta

from contracts.problems import Problem
from libs.sites.retention import ArchiveEvidence
from services.janitor import refusing
from services.janitor.facts import ArchiveCopy, Evidence, Moment, PackageFacts, Standing, World

FUTURE = timedelta(hours=1)
"""A proof that is later than this from now was dated by a clock that was wrong: it counts as none."""

AWAY = frozenset({Standing.UNREACHABLE, Standing.SILENT})

_GOOD = {
    ArchiveEvidence.RECORDED: frozenset({Standing.WHOLE, Standing.READ}),
    ArchiveEvidence.ASKED: frozenset({Standing.WHOLE, Standing.READ}),
    ArchiveEvidence.READ: frozenset({Standing.READ}),
}
"""What an archive must have said when acting, by policy."""


def unproven(package: PackageFacts, world: World) -> Problem | None:
    """Why the archives of a package are not evidence enough; None if they are."""
    for archive in package.archives:
        if archive.damage is not None or archive.standing is Standing.DAMAGED:
            return refusing.archive_damaged(package, archive)
        if archive.standing is Standing.MISSING:
            return refusing.archive_missing(package, archive)
    proven = proven_copies(package, world)
    return None if _suffice(proven, world) else _lack(package, proven, world)


def proven_copies(package: PackageFacts, world: World) -> list[ArchiveCopy]:
    """The archive copies that count."""
    return [archive for archive in package.archives if is_proven(archive, world)]


def is_proven(archive: ArchiveCopy, world: World) -> bool:
    """Whether an archive copy counts: a proof on record that is young enough, no damage, and the archive's word."""
    return _is_known(archive) and _is_young(archive, world) and _has_spoken(archive, world)


def _is_known(archive: ArchiveCopy) -> bool:
    bad = {Standing.MISSING, Standing.DAMAGED, *AWAY}
    return archive.proven_at is not None and archive.damage is None and archive.standing not in bad


def _is_young(archive: ArchiveCopy, world: World) -> bool:
    longest = world.retention.proof_max_age
    if longest is None or archive.standing is Standing.READ:
        return True
    if world.moment is Moment.DECIDING and _will_be_read(archive, world):
        return True
    latest = world.now + FUTURE
    times = [when for when in (archive.proven_at, archive.verified_at) if when is not None and when <= latest]
    return bool(times) and world.now - max(times) <= longest


def _will_be_read(archive: ArchiveCopy, world: World) -> bool:
    return world.retention.evidence is ArchiveEvidence.READ and archive.evidence is Evidence.ASKED


def _has_spoken(archive: ArchiveCopy, world: World) -> bool:
    policy = world.retention.evidence
    if archive.evidence is Evidence.RECORDED:
        return policy is ArchiveEvidence.RECORDED
    return world.moment is Moment.DECIDING or archive.standing in _GOOD[policy]


def _suffice(proven: Iterable[ArchiveCopy], world: World) -> bool:
    copies = list(proven)
    enough = len(copies) >= world.retention.archive_copies
    return enough and len(_sites(copies)) >= world.retention.archive_sites


def _sites(archives: Iterable[ArchiveCopy]) -> list[str]:
    return sorted({archive.site for archive in archives})


def _lack(package: PackageFacts, proven: list[ArchiveCopy], world: World) -> Problem:
    """The reason that somebody can do something about comes before the bare number."""
    others = [one for one in package.archives if one not in proven and one.proven_at is not None]
    for archive in others:
        if archive.standing in AWAY:
            return refusing.archive_unreachable(package, archive)
    for archive in others:
        if not _is_young(archive, world):
            return refusing.proof_old(package, archive, world.retention)
    policy = world.retention.evidence
    for archive in others if policy is not ArchiveEvidence.RECORDED else ():
        if not _has_spoken(archive, world):
            return refusing.not_asked(package, archive, policy)
    if len(proven) < world.retention.archive_copies:
        return refusing.too_few(package, len(proven), world.retention.archive_copies)
    return refusing.too_few_sites(package, _sites(proven), world.retention.archive_sites)
