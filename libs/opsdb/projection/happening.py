"""What is folded: an event at its place in a stream."""

from typing import NamedTuple

from contracts.base import Event
from contracts.envelope import Envelope

Position = tuple[str, int]
"""A stream, and a sequence in it."""


class Happening(NamedTuple):
    """An event at its place in a stream."""

    stream: str
    sequence: int
    envelope: Envelope
    event: Event
