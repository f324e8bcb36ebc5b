"""What one look at a file means: a pure decision."""

from dataclasses import dataclass
from enum import StrEnum

from contracts.problems import Problem
from services.scanner.watchlist import Sighting, Wanted

NS = 1_000_000_000


class Kind(StrEnum):
    """What stands at a path."""

    REGULAR = "regular"
    """A file."""
    ABSENT = "absent"
    """Nothing, or nothing that can be reached."""
    ODD = "odd"
    """Something that is no readable file, or is reached through a link."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was found at a path.

    Attributes:
        mtime_ns: Modification time, nanoseconds since 1970.
        why: Of an oddity, in words.
    """

    kind: Kind
    size: int = 0
    mtime_ns: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Now:
    """The time of a look.

    Attributes:
        monotonic: Seconds that nobody can set.
        wall_ns: Nanoseconds since 1970, as told by a clock that can be wrong.
    """

    monotonic: float
    wall_ns: int


@dataclass(frozen=True, slots=True)
class Ready:
    """There, complete and quiet."""

    seen: Sighting


@dataclass(frozen=True, slots=True)
class Unquiet:
    """There and complete, but it changed lately.

    Attributes:
        again_in: Seconds until it may be quiet.
    """

    seen: Sighting
    again_in: float


@dataclass(frozen=True, slots=True)
class Incomplete:
    """Not there, or not as declared.

    Attributes:
        seen: None if it is not there.
        problem: To be told if it stays so.
    """

    seen: Sighting | None
    problem: Problem


Finding = Ready | Unquiet | Incomplete


def judge(wanted: Wanted, before: Sighting | None, look: Look, now: Now, quiet_s: float) -> Finding:
    """Judge one look.

    Args:
        wanted: What is looked for.
        before: The last sighting.
        look: What was found.
        now: When.
        quiet_s: A file is complete when it has not changed for so many seconds.
    """
    if look.kind is not Kind.REGULAR:
        return Incomplete(None, _absent(wanted) if look.kind is Kind.ABSENT else _odd(wanted, look))
    seen = _sighting(wanted, before, look, now)
    if wanted.size is not None and look.size != wanted.size:
        return Incomplete(seen, _mismatch(wanted, look.size))
    still = now.monotonic - seen.since
    if seen.timely:
        still = max(still, _age_s(look.mtime_ns, now.wall_ns))
    return Ready(seen) if still >= quiet_s else Unquiet(seen, quiet_s - still)


def _sighting(wanted: Wanted, before: Sighting | None, look: Look, now: Now) -> Sighting:
    if before is not None and (before.size, before.mtime_ns) == (look.size, look.mtime_ns):
        return before
    timely = before is None and wanted.after is None
    return Sighting(look.size, look.mtime_ns, now.monotonic, timely)


def _age_s(mtime_ns: int, wall_ns: int) -> float:
    """How long ago it was changed, if the clocks can be believed; a time in the future says nothing."""
    return max(0.0, (wall_ns - mtime_ns) / NS)


def _absent(wanted: Wanted) -> Problem:
    return Problem(
        code="file_missing",
        reason=f"{wanted.path!r} is filed, but it is not on {wanted.location}",
        remedy="Write the file, or find out why the instrument did not; it is looked for all the time.",
    )


def _odd(wanted: Wanted, look: Look) -> Problem:
    return Problem(
        code="not_a_regular_file",
        reason=f"{wanted.path!r} on {wanted.location} cannot be taken: {look.why}",
        remedy="Put a readable regular file in its place; it is looked for all the time.",
    )


def _mismatch(wanted: Wanted, size: int) -> Problem:
    return Problem(
        code="size_mismatch",
        reason=f"{wanted.path!r} has {size} bytes, {wanted.size} were declared",
        remedy="Let the instrument finish it, or file it again with the right size.",
    )
