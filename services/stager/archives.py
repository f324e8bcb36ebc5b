"""From which archive a package comes, and what is said when none of them can give it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from libs.copies.archived import misread
from libs.errors import ChasquiError, Permanent, Retriable
from libs.packaging import BagDamaged
from libs.sites.models import Deployment

HERE = frozenset({"disk_full", "storage_unavailable", "out_of_handles", "cancelled"})
"""Codes of faults of the PROCESSING location: another archive copy cannot help."""


@dataclass(frozen=True, slots=True)
class ArchiveCopy:
    """A package in an archive.

    Attributes:
        damage: What the last scrub found wrong; None if it was whole.
    """

    location: str
    key: str
    damage: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Why one copy could not be used."""

    copy: ArchiveCopy
    error: ChasquiError


def in_order(copies: Iterable[ArchiveCopy], deployment: Deployment) -> list[ArchiveCopy]:
    """The copy to try first first: whole ones, in active archives, by the archive's priority."""

    def rank(copy: ArchiveCopy) -> tuple[bool, bool, int, str]:
        _, location = deployment.location(copy.location)
        return (copy.damage is not None, not location.active, location.priority, copy.location)

    return sorted(copies, key=rank)


def another_may_help(error: ChasquiError) -> bool:
    """Whether a fault lies with the copy or the way to it, so that another copy is worth a try."""
    match error:
        case BagDamaged():
            return True
        case Retriable():
            return error.problem.code not in HERE
        case Permanent():
            return error.problem.code in {"object_missing", "s3_refused"}
        case _:
            return False


def on_second_thoughts(first: Fault, second: Fault) -> Fault:
    """What is wrong with a copy that was read as damaged, and then could not be used again.

    Returns:
        The damage, if both readings found the very same; else that the readings differ, which says nothing of the copy.
    """
    found, again = first.error, second.error
    if not (isinstance(found, BagDamaged) and isinstance(again, BagDamaged)):
        return second
    if found.problems == again.problems:
        return second
    return Fault(first.copy, misread(f"{first.copy.location}: {first.copy.key}", found.problem.reason))


def verdict(name: str, faults: Sequence[Fault]) -> ChasquiError:
    """What to raise when no copy of a package could be used.

    Args:
        name: The package's.
        faults: What was wrong with each copy.

    Returns:
        Retriable as long as one copy may still turn out whole; Permanent ``archive_copy_damaged`` or
        ``archive_copy_missing`` otherwise.
    """
    if not faults:
        return Retriable(
            "archive_copy_unknown",
            f"ops-db knows no archive copy of {name}",
            "Nothing, if it was archived just now; otherwise look at 'chasqui explain' of the package.",
        )
    for fault in faults:
        if isinstance(fault.error, Retriable):
            return fault.error
    told = "; ".join(f"{f.copy.location}: {f.copy.key}: {f.error.problem.reason}" for f in faults)
    if any(isinstance(fault.error, BagDamaged) for fault in faults):
        return Permanent(
            "archive_copy_damaged",
            f"no archive copy of {name} is whole: {told}",
            "Archive the package again from another verified copy, then ask again.",
        )
    return Permanent(
        "archive_copy_missing",
        f"no archive has {name} any more: {told}",
        "Find out who removed it; archive it again from a verified copy, then ask again.",
    )
