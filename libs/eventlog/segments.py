"""A segment: a run of records without a gap, compressed, which names the segment before it.

Two gzip members, which `zcat` shows as one text: a header of one line, then a line a record.
"""

import gzip
import hashlib
import io
import math
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, ValidationError

from contracts.base import Message, Sha256
from libs.errors import Permanent
from libs.eventlog.records import BadRecord, LogRecord, record_of

LONGEST_LINE = 256 << 20
"""Bytes: far above any message; what is longer is no segment of ours, and is not taken into memory."""
_GZIP = 31
_LEVEL = 6


class SegmentDamaged(Permanent):
    """An object that is not the segment it was stored as."""

    def __init__(self, what: str) -> None:
        super().__init__(
            "segment_damaged",
            what,
            "Restore it from another archive; while the stream lives: chasqui events export --mend.",
        )


class SegmentRef(Message):
    """Names a segment: the sequences it holds, and the SHA-256 of its bytes as they lie in the archive."""

    first: int = Field(ge=1)
    last: int = Field(ge=1)
    sha256: Sha256


class SegmentHeader(Message):
    """What a segment says of itself.

    Attributes:
        count: Of its records.
        previous: The segment before it; None for the first.
    """

    format: Literal["chasqui-log-segment"] = "chasqui-log-segment"
    version: Literal[1] = 1
    stream: str
    first: int = Field(ge=1)
    last: int = Field(ge=1)
    count: int = Field(ge=1)
    previous: SegmentRef | None


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment in memory, compressed.

    Attributes:
        record_digest: Of its last record (`LogRecord.digest`).
    """

    ref: SegmentRef
    header: SegmentHeader
    body: bytes
    record_digest: str


class SegmentBuilder:
    """Takes records in their order; keeps them compressed.

    Args:
        stream: Their stream.
        previous: The segment that they follow.
    """

    def __init__(self, stream: str, previous: SegmentRef | None) -> None:
        self._stream = stream
        self._previous = previous
        self._first = 1 if previous is None else previous.last + 1
        self._count = 0
        self._last: LogRecord | None = None
        self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self._pieces: list[bytes] = []
        self.size = 0
        """Bytes of the records so far, before compression."""

    @property
    def following(self) -> int:
        """The sequence of the next record."""
        return self._first + self._count

    def add(self, records: Iterable[LogRecord], enough: float = math.inf) -> None:
        """Append records, until there are enough bytes; blocking.

        Args:
            records: In their order.
            enough: When `size` has reached it, the other records are left.

        Raises:
            ValueError: One does not follow the last one.
        """
        for record in records:
            if self.size >= enough:
                return
            if record.sequence != self.following:
                raise ValueError(f"record {record.sequence} came, {self.following} was expected")
            line = record.line()
            self._pieces.append(self._compressor.compress(line))
            self.size += len(line)
            self._count += 1
            self._last = record

    def finish(self) -> Segment:
        """The segment; blocking.

        Raises:
            ValueError: There is no record.
        """
        if self._last is None:
            raise ValueError("a segment has at least one record")
        header = SegmentHeader(
            stream=self._stream,
            first=self._first,
            last=self._last.sequence,
            count=self._count,
            previous=self._previous,
        )
        told = gzip.compress(header.model_dump_json().encode() + b"\n", _LEVEL, mtime=0)
        body = b"".join((told, *self._pieces, self._compressor.flush()))
        ref = SegmentRef(first=header.first, last=header.last, sha256=hashlib.sha256(body).hexdigest())
        return Segment(ref, header, body, self._last.digest())


def read_segment(body: bytes, stream: str, expected: SegmentRef) -> tuple[SegmentHeader, Iterator[LogRecord]]:
    """Open a segment whose bytes have the expected SHA-256; its records are checked as they are taken.

    Args:
        body: As it lies in the archive.
        stream: Whose segment it must be.
        expected: Which one.

    Raises:
        SegmentDamaged: Its bytes, or what they say, are not what is expected.
    """
    if (found := hashlib.sha256(body).hexdigest()) != expected.sha256:
        raise SegmentDamaged(f"{_named(expected)} has SHA-256 {found}, not {expected.sha256}")
    lines = _lines(body, expected)
    try:
        header = SegmentHeader.model_validate_json(next(lines, b""))
    except ValidationError as error:
        raise SegmentDamaged(
            f"{_named(expected)} has no header: {error.errors(include_url=False)[0]['msg']}"
        ) from error
    said = (header.stream, header.first, header.last, header.count)
    if said != (stream, expected.first, expected.last, expected.last - expected.first + 1):
        raise SegmentDamaged(f"{_named(expected)} of {stream} says that it is {said}")
    return header, _records(lines, header, expected)


def whole_segment(body: bytes, stream: str, expected: SegmentRef) -> Segment:
    """A segment that was read to its end; blocking.

    Raises:
        SegmentDamaged: Something in it is not right.
    """
    header, records = read_segment(body, stream, expected)
    last = None
    for record in records:
        last = record
    if last is None:
        raise SegmentDamaged(f"{_named(expected)} has no records")
    return Segment(expected, header, body, last.digest())


def _records(lines: Iterator[bytes], header: SegmentHeader, expected: SegmentRef) -> Iterator[LogRecord]:
    sequence = header.first
    for line in lines:
        try:
            record = record_of(line)
        except BadRecord as error:
            raise SegmentDamaged(f"{_named(expected)}: {error}") from error
        if record.sequence != sequence or sequence > header.last:
            raise SegmentDamaged(
                f"{_named(expected)}: record {record.sequence} stands in the place of {sequence}"
            )
        yield record
        sequence += 1
    if sequence != header.last + 1:
        raise SegmentDamaged(f"{_named(expected)} ends after record {sequence - 1}")


def _lines(body: bytes, expected: SegmentRef) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            while line := file.readline(LONGEST_LINE):
                yield line
    except (OSError, EOFError, zlib.error) as error:
        raise SegmentDamaged(f"{_named(expected)} cannot be unpacked: {error}") from error


def _named(ref: SegmentRef) -> str:
    return f"the segment {ref.first}-{ref.last}"
