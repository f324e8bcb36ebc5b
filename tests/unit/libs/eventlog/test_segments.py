"""Segments: deterministic, readable with common tools, and any damage is found."""

import gzip
import hashlib
import json
from collections.abc import Sequence

import pytest

from libs.eventlog.records import LogRecord
from libs.eventlog.segments import (
    Segment,
    SegmentBuilder,
    SegmentDamaged,
    SegmentRef,
    read_segment,
    whole_segment,
)

STREAM = "EVENTS_chile"
BEFORE = SegmentRef(first=1, last=4, sha256="ab" * 32)


def records(first: int, last: int) -> list[LogRecord]:
    return [
        LogRecord(n, "chasqui.chile.a.b.v1", b"NATS/1.0\r\nN: %d\r\n\r\n" % n, b'{"n":%d}' % n, f"t{n}")
        for n in range(first, last + 1)
    ]


def built(found: Sequence[LogRecord], previous: SegmentRef | None = None) -> Segment:
    builder = SegmentBuilder(STREAM, previous)
    builder.add(found)
    return builder.finish()


def test_what_goes_in_comes_out() -> None:
    segment = built(records(5, 9), BEFORE)
    header, found = read_segment(segment.body, STREAM, segment.ref)
    assert list(found) == records(5, 9)
    assert (header.first, header.last, header.count, header.previous) == (5, 9, 5, BEFORE)
    assert segment.record_digest == records(9, 9)[0].digest()
    assert whole_segment(segment.body, STREAM, segment.ref) == segment


def test_equal_records_make_equal_bytes_however_they_come() -> None:
    whole = built(records(1, 50))
    builder = SegmentBuilder(STREAM, None)
    for record in records(1, 50):
        builder.add([record])
    assert builder.finish() == whole


def test_it_is_a_text_for_common_tools() -> None:
    segment = built(records(1, 3))
    assert hashlib.sha256(segment.body).hexdigest() == segment.ref.sha256
    lines = gzip.decompress(segment.body).splitlines()
    assert json.loads(lines[0])["stream"] == STREAM
    assert [json.loads(line)["sequence"] for line in lines[1:]] == [1, 2, 3]


@pytest.mark.parametrize(
    "wrong", [records(2, 3), [*records(1, 2), *records(4, 4)], [*records(1, 1), *records(1, 1)]]
)
def test_no_gap_gets_in(wrong: list[LogRecord]) -> None:
    with pytest.raises(ValueError, match="was expected"):
        built(wrong)


def test_an_empty_segment_is_none() -> None:
    with pytest.raises(ValueError, match="at least one"):
        SegmentBuilder(STREAM, None).finish()


def test_every_flipped_byte_is_found() -> None:
    segment = built(records(1, 3))
    for at in range(len(segment.body)):
        body = bytearray(segment.body)
        body[at] ^= 1 << at % 8
        with pytest.raises(SegmentDamaged, match="SHA-256"):
            whole_segment(bytes(body), STREAM, segment.ref)


def forged(body: bytes, first: int = 1, last: int = 3) -> SegmentRef:
    """The name under which a body's checksum is right."""
    return SegmentRef(first=first, last=last, sha256=hashlib.sha256(body).hexdigest())


def test_what_a_checksum_cannot_tell_is_found_inside() -> None:
    segment = built(records(1, 3))
    text = gzip.decompress(segment.body)
    head, one, two, three = text.splitlines(keepends=True)
    for lines in (
        [head, one, three, two],
        [head, one, two],
        [head, one, two, three, three],
        [head, one, two, b"{}\n"],
        [one, two, three],
        [],
    ):
        body = gzip.compress(b"".join(lines))
        with pytest.raises(SegmentDamaged):
            whole_segment(body, STREAM, forged(body))


def test_a_truncated_one_is_found() -> None:
    segment = built(records(1, 3))
    for kept in range(len(segment.body)):
        body = segment.body[:kept]
        with pytest.raises(SegmentDamaged):
            whole_segment(body, STREAM, forged(body))


def test_a_segment_in_the_place_of_another_is_found() -> None:
    segment = built(records(1, 3))
    with pytest.raises(SegmentDamaged, match="says that it is"):
        whole_segment(segment.body, "EVENTS_cologne", segment.ref)
    with pytest.raises(SegmentDamaged, match="says that it is"):
        whole_segment(segment.body, STREAM, forged(segment.body, 2, 4))
