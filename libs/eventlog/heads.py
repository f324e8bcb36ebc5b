"""A head: how far a chain goes, and what it ends with."""

from typing import Literal

from pydantic import Field

from contracts.base import Message, Sha256
from libs.eventlog.segments import Segment, SegmentRef


class Head(Message):
    """The end of a chain.

    Attributes:
        segments: How many there are up to here.
        tip: The last one.
        record_digest: Of the last record: the message at that sequence of the stream must say the same.
    """

    format: Literal["chasqui-log-head"] = "chasqui-log-head"
    version: Literal[1] = 1
    stream: str
    segments: int = Field(ge=1)
    tip: SegmentRef
    record_digest: Sha256

    @property
    def last(self) -> int:
        """The last sequence of the chain."""
        return self.tip.last


def head_after(head: Head | None, segment: Segment) -> Head:
    """The head of a chain to which a segment was added."""
    return Head(
        stream=segment.header.stream,
        segments=1 + (0 if head is None else head.segments),
        tip=segment.ref,
        record_digest=segment.record_digest,
    )


def reach(head: Head | None) -> int:
    """The last sequence of a chain; 0 if there is none."""
    return 0 if head is None else head.last
