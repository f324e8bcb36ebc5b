"""Rules of retention: a copy waits for nothing that cannot come, and thresholds stand in their order."""

from collections.abc import Iterator

from contracts.states import LocationType
from libs.sites.checks.locations import path_of
from libs.sites.findings import Issue, KeyPath, Part, error, warning
from libs.sites.models import Deployment
from libs.sites.retention import ArchiveEvidence, Retention


def retention_can_be_met(deployment: Deployment) -> Iterator[Issue]:
    """A copy waits for no more archive copies, and at no more sites, than there are archives."""
    sites = [
        site
        for site, _, location in deployment.locations()
        if location.active and location.type is LocationType.LONG_TERM_ARCHIVE
    ]
    for path, retention in _asking_archives(deployment):
        if retention.archive_copies > max(len(sites), 1):
            reason = f"{retention.archive_copies} archive copies are wanted, but there are {len(sites)} active archives"
            remedy = "Ask for fewer copies, or add an archive; until then nothing is deleted here."
            yield warning((*path, "archive_copies"), "copies_unreachable", reason, remedy)
        if retention.archive_sites > max(len(set(sites)), 1):
            reason = (
                f"archive copies at {retention.archive_sites} sites are wanted, "
                f"but {len(set(sites))} sites have active archives"
            )
            remedy = (
                "Ask for fewer sites, or add an archive at another one; until then nothing is deleted here."
            )
            yield warning((*path, "archive_sites"), "sites_unreachable", reason, remedy)


def water_marks_are_in_order(deployment: Deployment) -> Iterator[Issue]:
    """Clearing a full disk ends below where it begins."""
    for site, name, location in deployment.locations():
        low, high = location.retention.low_water, location.retention.high_water
        if low is not None and low > high:
            reason = f"low_water is {low}, above high_water, {high}"
            remedy = "Write a low_water below high_water, or leave it out for 0.05 less."
            yield error(path_of(site, name, "retention", "low_water"), "low_water_above_high", reason, remedy)


def proofs_outlast_retention(deployment: Deployment) -> Iterator[Issue]:
    """A proof still counts when the copy's time is up."""
    for path, retention in _asking_archives(deployment):
        longest = retention.proof_max_age
        if longest is None or retention.evidence is ArchiveEvidence.READ:
            continue
        where = (*path, "proof_max_age")
        if not longest:
            reason = "no proof is young enough for a longest age of nothing"
            remedy = "Leave proof_max_age out, or write evidence: read to have each copy read back first."
            yield error(where, "proof_age_zero", reason, remedy)
        elif longest < retention.keep_for:
            reason = (
                f"proofs count for {longest}, but copies are kept for {retention.keep_for}: nothing goes "
                "unless its archive copies are scrubbed more often than that"
            )
            remedy = "Write a proof_max_age above keep_for, or scrub that often."
            yield warning(where, "proof_age_short", reason, remedy)


def archives_have_no_retention(deployment: Deployment) -> Iterator[Issue]:
    """Nobody believes that an archive's copies would go."""
    for site, name, location in deployment.locations():
        archive = location.type is LocationType.LONG_TERM_ARCHIVE
        if archive and "retention" in location.model_fields_set:
            reason = "the copies of an archive are never deleted: retention has no effect here"
            remedy = "Leave it out; write it at the source and buffer locations."
            yield warning(path_of(site, name, "retention"), "retention_unused", reason, remedy, Part.KEY)


def _asking_archives(deployment: Deployment) -> Iterator[tuple[KeyPath, Retention]]:
    """Locations whose copies may wait for archives."""
    for site, name, location in deployment.locations():
        if location.type is not LocationType.LONG_TERM_ARCHIVE:
            yield path_of(site, name, "retention"), location.retention
