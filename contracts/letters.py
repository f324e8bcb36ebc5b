"""Dead letters: messages that a handler could not handle, from their burial to their end."""

from uuid import UUID

from pydantic import Field

from contracts.base import Event, Name, derived_id
from contracts.problems import Problem
from contracts.states import FailureKind


class LetterBuried(Event):
    """A handler gave a message up; the message itself is kept among the dead letters of its site.

    Attributes:
        burial: Counts the burials of this letter from 1; a retry that fails buries it again.
        service: Who gave it up; so is `handler`.
        stream: The stream it came from, and its `sequence` there; None for a request.
        type: The event's type, as its subject says; the subject itself if it says none.
        entity_id: The id of what it is about; None where it cannot be read.
        attempts: How many times it was handled in vain, in all burials.
    """

    entity = "letter"
    fact = "buried"

    letter_id: UUID
    burial: int = Field(ge=1)
    service: Name
    handler: str
    stream: str | None
    sequence: int | None
    type: str
    entity_id: str | None
    failure: FailureKind
    attempts: int = Field(ge=1)
    problem: Problem

    def identity(self) -> tuple[object, ...]:
        return (self.letter_id, self.burial)

    def about(self) -> UUID:
        return self.letter_id


class LetterRetried(Event):
    """An operator had the message sent again, to the handler that had given it up and to nobody else."""

    entity = "letter"
    fact = "retried"

    letter_id: UUID
    burial: int = Field(ge=1)
    requested_by: str

    def identity(self) -> tuple[object, ...]:
        return (self.letter_id, self.burial)

    def about(self) -> UUID:
        return self.letter_id


class LetterSettled(Event):
    """The retry of a letter went well."""

    entity = "letter"
    fact = "settled"

    letter_id: UUID
    burial: int = Field(ge=1)

    def identity(self) -> tuple[object, ...]:
        return (self.letter_id, self.burial)

    def about(self) -> UUID:
        return self.letter_id


class LetterDropped(Event):
    """An operator decided that the message need not be handled any more, and why."""

    entity = "letter"
    fact = "dropped"

    letter_id: UUID
    burial: int = Field(ge=1)
    dropped_by: str
    reason: str = Field(min_length=1)

    def identity(self) -> tuple[object, ...]:
        return (self.letter_id, self.burial)

    def about(self) -> UUID:
        return self.letter_id


def letter_id(site: str, service: str, handler: str, stream: str | None, sequence: int | str) -> UUID:
    """The id of a dead letter: who gave up which message.

    Args:
        site: Where the service runs.
        service: The service.
        handler: Its handler.
        stream: The stream the message came from; None for a request.
        sequence: Its sequence there; for a request, anything that tells it from others.
    """
    return derived_id("dead_letter", site, service, handler, stream, sequence)
