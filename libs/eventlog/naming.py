"""Where the objects of a chain lie. Sequences have twenty digits, so that a listing has their order."""

import re
from dataclasses import dataclass

from libs.eventlog.heads import Head
from libs.eventlog.segments import SegmentRef

_SEGMENT = re.compile(r"(\d{20})-(\d{20})-([0-9a-f]{64})\.jsonl\.gz")
_HEAD = re.compile(r"(\d{20})-([0-9a-f]{64})\.json")


@dataclass(frozen=True, slots=True)
class ChainNames:
    """The keys of one stream's chain in an archive.

    Attributes:
        prefix: Of the archive; with its slash, if it has one.
        folder: Of all logs, below the prefix.
        stream: The stream.
    """

    prefix: str
    folder: str
    stream: str

    @property
    def root(self) -> str:
        """What every key begins with."""
        return f"{self.prefix}{self.folder}/{self.stream}/"

    @property
    def segments(self) -> str:
        """What every segment's key begins with."""
        return f"{self.root}segments/"

    @property
    def heads(self) -> str:
        """What every head's key begins with."""
        return f"{self.root}heads/"

    def segment(self, ref: SegmentRef) -> str:
        """The key of a segment."""
        return f"{self.segments}{ref.first:020d}-{ref.last:020d}-{ref.sha256}.jsonl.gz"

    def segments_from(self, first: int) -> str:
        """What the keys of segments that begin with this sequence begin with."""
        return f"{self.segments}{first:020d}-"

    def head(self, head: Head) -> str:
        """The key of a head."""
        return f"{self.heads}{head.last:020d}-{head.tip.sha256}.json"

    def segment_of(self, key: str) -> SegmentRef | None:
        """Which segment a key is of; None if it is none's."""
        found = _SEGMENT.fullmatch(key.removeprefix(self.segments)) if key.startswith(self.segments) else None
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            return None
        return SegmentRef(first=int(found[1]), last=int(found[2]), sha256=found[3])

    def reach_of(self, key: str) -> int | None:
        """How far a head reaches, by its key; None if it is no head's."""
        found = _HEAD.fullmatch(key.removeprefix(self.heads)) if key.startswith(self.heads) else None
        return None if found is None else int(found[1])
