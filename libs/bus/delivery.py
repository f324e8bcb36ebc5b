"""What a handler is given of a message: the event, and where it came from."""

from dataclasses import dataclass

from faststream.nats.message import NatsMessage

from contracts.base import Event
from contracts.envelope import BadEnvelope, Envelope
from contracts.registry import REGISTRY, UnreadableEvent
from libs.bus.attempts import Attempts
from libs.bus.origin import Origin, origin_of
from libs.errors import Poison


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where an event came from; the same whether it came from its stream or was sent again.

    Attributes:
        envelope: Who said it, when, because of what.
        stream: The stream it was read from.
        sequence: Its sequence there; wait for it in the projection before asking ops-db.
        attempt: Which attempt this is, from 1; deliveries that were only postponed do not count.
        burials: How often it was given up before; more than none in a retry of a dead letter.
        replayed: Whether it was sent again, as such a retry or by a replay: long after it happened, maybe.
    """

    envelope: Envelope
    stream: str
    sequence: int
    attempt: int
    burials: int = 0
    replayed: bool = False


def delivery_of(origin: Origin, attempts: Attempts) -> Delivery:
    """Read a message's envelope and position.

    Raises:
        Poison: ``bad_envelope``.
    """
    try:
        envelope = Envelope.from_headers(origin.headers)
    except BadEnvelope as error:
        raise Poison(
            "bad_envelope", str(error), "Publish events with the CloudEvents headers of docs/events.md."
        ) from error
    return Delivery(
        envelope,
        origin.stream or "",
        origin.sequence or 0,
        attempts.counted,
        origin.burials,
        origin.replayed,
    )


def read_event(origin: Origin) -> Event:
    """Read a message's body.

    Raises:
        Poison: Unknown type or version, no JSON, or not what its schema says.
    """
    try:
        return REGISTRY.read(origin.type, origin.data)
    except UnreadableEvent as error:
        problem = error.problem
        raise Poison(problem.code, problem.reason, problem.remedy) from error


async def decode(message: NatsMessage) -> Event:
    """FastStream's decoder: the current model of whatever version was sent."""
    return read_event(origin_of(message.raw_message))
