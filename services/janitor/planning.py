"""What would go, what would stay, and why: the decision over many copies, without touching any."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from contracts.problems import Problem
from services.janitor.facts import Copy, World
from services.janitor.may_delete import Refusal, Yes, may_delete


@dataclass(frozen=True, slots=True)
class Candidate:
    """A copy that is looked at.

    Attributes:
        since: When this copy was made known; tells it from one at the same place before or after.
        refusal: The code with which it was refused before; None if it was not.
    """

    copy: Copy
    world: World
    since: datetime | None = None
    refusal: str | None = None


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
            case Yes():
                deletions.append(candidate)
            case Refusal(problem=problem):
                refusals.append(Refused(candidate, problem))
    return Plan(tuple(deletions), tuple(refusals))
