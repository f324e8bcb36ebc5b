"""From which copy a damaged archive copy is written anew: pure decisions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.problems import Problem
from contracts.states import CopyState, LocationType
from libs.copies.records import THERE, CopyOnRecord
from libs.errors import ChasquiError
from libs.sites.models import Deployment, DiskLocation, S3Location


@dataclass(frozen=True, slots=True)
class BufferSource:
    """A copy in a BUFFER of this site.

    Attributes:
        expected: Whether it should be there; one that was cleared is looked for all the same: somebody may have
            put it back.
    """

    location: str
    path: str
    expected: bool


@dataclass(frozen=True, slots=True)
class ArchiveSource:
    """A copy in another archive."""

    location: str
    key: str


Source = BufferSource | ArchiveSource


@dataclass(frozen=True, slots=True)
class Tried:
    """A source that did not do.

    Attributes:
        error: Why: a Retriable one says nothing of the copy.
    """

    source: Source
    error: ChasquiError


def in_order(
    copies: Iterable[CopyOnRecord], deployment: Deployment, site: str, *, target: str
) -> tuple[Source, ...]:
    """The copies to write an archive copy anew from, the one to try first first.

    Whole ones before those that are on record as damaged; of these, BUFFERs of this site, its archives, archives of
    other sites; active locations first, then by priority. Copies that only a transfer could bring are left out.

    Args:
        copies: Every copy of the package on record.
        deployment: Where they are.
        site: This site.
        target: The archive whose copy is damaged.
    """
    ranked = []
    known = {name: (where, location) for where, name, location in deployment.locations()}
    for copy in copies:
        name = copy.ref.location
        if name == target or name not in known:
            continue
        where, location = known[name]
        source = _source(copy, location, at_home=where == site)
        if source is not None:
            kind = 0 if isinstance(source, BufferSource) else 1 if where == site else 2
            rank = (copy.problem is not None, kind, not location.active, location.priority, name)
            ranked.append((rank, source))
    return tuple(source for _, source in sorted(ranked, key=lambda item: item[0]))


def _source(copy: CopyOnRecord, location: DiskLocation | S3Location, *, at_home: bool) -> Source | None:
    match location:
        case DiskLocation(type=LocationType.BUFFER) if at_home:
            return BufferSource(copy.ref.location, copy.ref.path, expected=copy.state in THERE)
        case S3Location() if copy.state is CopyState.PRESENT:
            return ArchiveSource(copy.ref.location, copy.ref.path)
        case _:
            return None


def no_good_copy(name: str, location: str, found: Problem, tried: Sequence[Tried], put_back: str) -> Problem:
    """The alarm of an archive copy that nothing was found to mend with.

    Args:
        name: The package's.
        location: The archive's.
        found: What is wrong with its copy.
        tried: What was tried in its place.
        put_back: Where a person may put a whole copy.
    """
    told = "; ".join(f"{one.source.location}: {one.error.problem.reason}" for one in tried)
    return Problem(
        code="no_good_copy",
        reason=f"{name} in {location} is damaged ({found.reason}), and no good copy of it was found"
        f"{': ' + told if told else ': there is no other one'}",
        remedy=f"Put a whole copy of the package to {put_back}, then have it read: chasqui scrub PACKAGE --now. Keep "
        "the damaged one: most of its files may be whole.",
    )
