"""A message as it stands in a stream."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

_TOKENS_WITH_DOMAIN = 11


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as it stands in a stream.

    Attributes:
        sequence: Its place in the stream, from 1.
        headers: Names and values; empty if it has none.
        data: The body.
        time: When the stream stored it (UTC).
    """

    stream: str
    sequence: int
    subject: str
    headers: dict[str, str]
    data: bytes
    time: datetime


class Delivery(NamedTuple):
    """What the reply subject of a delivered message says.

    Attributes:
        sequence: Its place in the stream.
        delivered: How many messages the consumer has delivered, this one included.
        time_ns: When the stream stored it, nanoseconds since 1970.
    """

    sequence: int
    delivered: int
    time_ns: int


def delivery_of(reply: str) -> Delivery:
    """Read a reply subject, ``$JS.ACK.`` and either 7 tokens or 9 and more (with domain and account)."""
    tokens = reply.split(".")
    first = 5 if len(tokens) < _TOKENS_WITH_DOMAIN else 7
    return Delivery(int(tokens[first]), int(tokens[first + 1]), int(tokens[first + 2]))
