"""From stored messages to events in their envelopes."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from contracts.envelope import BadEnvelope, Envelope
from contracts.problems import Problem
from contracts.registry import REGISTRY, UnreadableEvent
from libs.bus.stored import StoredMessage
from libs.opsdb.projection.applying import Happening


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that is none of our events, and why."""

    message: StoredMessage
    problem: Problem


@dataclass(slots=True)
class Decoded:
    """What a run of messages says, in their order."""

    happenings: list[Happening] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)


def decode(messages: Iterable[StoredMessage]) -> Decoded:
    """Read what can be read, and say of the rest why it cannot."""
    decoded = Decoded()
    for message in messages:
        try:
            decoded.happenings.append(happening_of(message))
        except UnreadableEvent as error:
            decoded.unreadable.append(Unreadable(message, error.problem))
        except BadEnvelope as error:
            problem = Problem(
                code="bad_envelope",
                reason=str(error),
                remedy="Send events with the CloudEvents headers that the event catalogue shows.",
            )
            decoded.unreadable.append(Unreadable(message, problem))
    return decoded


def happening_of(message: StoredMessage) -> Happening:
    """The event in a message.

    Raises:
        BadEnvelope: The headers are not those of an event.
        UnreadableEvent: The body is not.
    """
    envelope = Envelope.from_headers(message.headers)
    if envelope.time.tzinfo is None:
        raise BadEnvelope(f"ce-time {message.headers['ce-time']!r} has no time zone")
    return Happening(message.stream, message.sequence, envelope, REGISTRY.read(envelope.type, message.data))
