"""What a handler is given of a message: the event, and where it came from."""

from dataclasses import dataclass

from faststream.nats.message import NatsMessage
from nats.aio.msg import Msg

from contracts.base import Event
from contracts.envelope import BadEnvelope, Envelope
from contracts.registry import REGISTRY, UnreadableEvent
from libs.bus.attempts import Attempts
from libs.errors import Poison


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where an event came from.

    Attributes:
        envelope: Who said it, when, because of what.
        stream: The stream it was read from.
        sequence: Its sequence there; wait for it in the projection before asking ops-db.
        attempt: Which attempt this is, from 1; deliveries that were only postponed do not count.
    """

    envelope: Envelope
    stream: str
    sequence: int
    attempt: int


def delivery_of(raw: Msg, attempts: Attempts) -> Delivery:
    """Read a message's envelope and position.

    Raises:
        Poison: ``bad_envelope``.
    """
    try:
        envelope = Envelope.from_headers(raw.headers or {})
    except BadEnvelope as error:
        raise Poison(
            "bad_envelope", str(error), "Publish events with the CloudEvents headers of docs/events.md."
        ) from error
    position = raw.metadata
    return Delivery(envelope, position.stream, position.sequence.stream, attempts.counted)


def read_event(raw: Msg) -> Event:
    """Read a message's body.

    Raises:
        Poison: Unknown type or version, no JSON, or not what its schema says.
    """
    type_name = "chasqui." + raw.subject.split(".", 2)[2] if raw.subject.count(".") > 1 else raw.subject
    try:
        return REGISTRY.read(type_name, raw.data)
    except UnreadableEvent as error:
        problem = error.problem
        raise Poison(problem.code, problem.reason, problem.remedy) from error


async def decode(message: NatsMessage) -> Event:
    """FastStream's decoder: the current model of whatever version was sent."""
    return read_event(message.raw_message)
