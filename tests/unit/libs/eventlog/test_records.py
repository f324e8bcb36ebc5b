"""A message as a line of JSON: every byte comes back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.eventlog.records import BadRecord, LogRecord, record_of

TIME = "2026-03-01T04:05:06.123456789Z"


@given(st.binary(max_size=300), st.binary(max_size=300), st.text(max_size=50))
def test_any_message_comes_back_whole(headers: bytes, data: bytes, subject: str) -> None:
    record = LogRecord(7, subject.encode("utf-8", "replace").decode(), headers, data, TIME)
    line = record.line()
    assert line.count(b"\n") == 1
    assert record_of(line) == record


def test_text_stays_readable() -> None:
    record = LogRecord(1, "chasqui.a.b.c.v1", b"NATS/1.0\r\nA: \xc3\xa9\r\n\r\n", b'{"x":"\xff"}', TIME)
    document = json.loads(record.line())
    assert document["headers"] == "NATS/1.0\r\nA: é\r\n\r\n"
    assert "data" not in document
    assert document["data_base64"]


def test_the_digest_covers_all_but_the_time() -> None:
    record = LogRecord(1, "s", b"h", b"d", TIME)
    assert record.digest() == LogRecord(1, "s", b"h", b"d", "another time").digest()
    others = [
        LogRecord(2, "s", b"h", b"d", TIME),
        LogRecord(1, "t", b"h", b"d", TIME),
        LogRecord(1, "s", b"hd", b"", TIME),
        LogRecord(1, "s", b"h", b"e", TIME),
    ]
    assert len({record.digest(), *(other.digest() for other in others)}) == 5


def test_the_digest_leaves_out_what_mirrors_leave_out() -> None:
    own = (
        b"NATS/1.0\r\nNats-Expected-Stream: E\r\nA: Nats-Expected-\r\nNats-Expected-Last-Sequence: 1\r\n\r\n"
    )
    mirrored = b"NATS/1.0\r\nA: Nats-Expected-\r\n\r\n"
    assert LogRecord(1, "s", own, b"", TIME).digest() == LogRecord(1, "s", mirrored, b"", TIME).digest()
    alone = b"NATS/1.0\r\nNats-Expected-Stream: E\r\n\r\n"
    assert LogRecord(1, "s", alone, b"", TIME).digest() == LogRecord(1, "s", b"", b"", TIME).digest()
    assert LogRecord(1, "s", own, b"", TIME).digest() != LogRecord(1, "s", b"", b"", TIME).digest()


def test_the_message_id_is_found_as_the_server_finds_it() -> None:
    block = b"NATS/1.0\r\nA: Nats-Msg-Id: no\r\nNats-Msg-Id:  yes \r\n\r\n"
    assert LogRecord(1, "s", block, b"", TIME).message_id() == b"yes"
    assert LogRecord(1, "s", b"", b"", TIME).message_id() is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"no json",
        b"[1]",
        b'{"sequence":1,"time":"t","subject":"s","headers":"","data_base64":"%"}',
        b'{"sequence":"x","time":"t","subject":"s","headers":"","data":""}',
    ],
)
def test_what_is_no_record_is_refused(line: bytes) -> None:
    with pytest.raises(BadRecord):
        record_of(line)
