"""What would go, what would stay, and why: the decision over many copies, without touching any."""

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.problems import Problem
from services.janitor import refusing
from services.janitor.facts import NO_HISTORY, BufferCopy, Copy, History, OnDisk, SourceCopy, World
from services.janitor.may_delete import Refusal, Yes, may_delete


@dataclass(frozen=True, slots=True)
class Candidate:
    """A copy that is looked at, the world around it, and what was told of it."""

    copy: Copy
    world: World
    history: History = NO_HISTORY


@dataclass(frozen=True, slots=True)
class Refused:
    """A copy that stays."""

    candidate: Candidate
    problem: Problem


@dataclass(frozen=True, slots=True)
class Plan:
    """What would become of each candidate, in their order."""

    deletions: tuple[Candidate, ...]
    refusals: tuple[Refused, ...]


def plan(candidates: Iterable[Candidate]) -> Plan:
    """Ask `may_delete` about every candidate; pure."""
    deletions: list[Candidate] = []
    refusals: list[Refused] = []
    for candidate in candidates:
        match may_delete(candidate.copy, candidate.world):
            case Yes() if (problem := _known_to_differ(candidate)) is not None:
                refusals.append(Refused(candidate, problem))
            case Yes():
                deletions.append(candidate)
            case Refusal(problem=problem):
                refusals.append(Refused(candidate, problem))
    return Plan(tuple(deletions), tuple(refusals))


def _known_to_differ(candidate: Candidate) -> Problem | None:
    """The content of a file that was read before and was another one, and that nobody touched since.

    It is not read again: that would cost the same again with every sweep, and find the same.
    """
    copy, history = candidate.copy, candidate.history
    if history.refusal != refusing.Code.CONTENT_CHANGED or history.refused_at is None:
        return None
    if not isinstance(copy, SourceCopy | BufferCopy) or not isinstance(copy.seen, OnDisk):
        return None
    untouched = copy.seen.ctime_ns < history.refused_at.timestamp() * 1e9
    return refusing.content_changed(copy, None, None) if untouched else None
