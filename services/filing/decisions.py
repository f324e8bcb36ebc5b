"""What a decision is: events to store and an answer, or problems to tell."""

from dataclasses import dataclass

from contracts.base import Event
from contracts.observations import FilingAccepted
from contracts.problems import Problem
from contracts.skynet.requests import EntityAccepted


@dataclass(frozen=True, slots=True)
class Accept:
    """Store these events, one after the other, then answer.

    Attributes:
        events: None if everything was accepted before.
    """

    events: tuple[Event, ...]
    answer: FilingAccepted | EntityAccepted


@dataclass(frozen=True, slots=True)
class Refuse:
    """Store nothing; tell all of this."""

    problems: tuple[Problem, ...]


Decision = Accept | Refuse
