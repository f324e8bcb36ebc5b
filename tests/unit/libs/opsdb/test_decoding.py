"""What cannot be read is told with its reason; the rest is read."""

from dataclasses import replace

import pytest

from libs.bus.stored import StoredMessage, delivery_of
from libs.opsdb.decoding import decode
from tests.support.histories import road
from tests.support.histories.logs import BEGIN, log
from tests.support.histories.road import Observation

[HAPPENING] = log(iter([(road.ORIGIN, road.filed(Observation(1, 1, BEGIN)))]))
GOOD = StoredMessage(
    stream=HAPPENING.stream,
    sequence=HAPPENING.sequence,
    subject=HAPPENING.event.subject(road.ORIGIN),
    headers=HAPPENING.envelope.headers(),
    data=HAPPENING.event.model_dump_json().encode(),
    time=BEGIN,
)


def with_header(name: str, value: str) -> StoredMessage:
    return replace(GOOD, headers={**GOOD.headers, name: value})


def test_an_event_comes_back_as_it_was_sent() -> None:
    assert decode([GOOD]).happenings == [HAPPENING]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (replace(GOOD, headers={}), "bad_envelope"),
        (with_header("ce-id", "not a uuid"), "bad_envelope"),
        (with_header("ce-time", "yesterday"), "bad_envelope"),
        (with_header("ce-time", "2026-01-01T00:00:00"), "bad_envelope"),
        (with_header("ce-source", "nowhere"), "bad_envelope"),
        (with_header("ce-type", "chasqui.cat.fed.v1"), "unknown_type"),
        (with_header("ce-type", "chasqui.observation.files_filed.v99"), "unknown_version"),
        (replace(GOOD, data=b"{"), "not_json"),
        (replace(GOOD, data=b"\xff\xfe"), "not_json"),
        (replace(GOOD, data=b"{}"), "invalid_event"),
    ],
)
def test_what_is_no_event_is_told_and_stops_nothing(bad: StoredMessage, code: str) -> None:
    decoded = decode([bad, GOOD])
    assert [unreadable.problem.code for unreadable in decoded.unreadable] == [code]
    assert decoded.happenings == [HAPPENING]


@pytest.mark.parametrize(
    "reply",
    [
        "$JS.ACK.EVENTS_chile.reader.1.41.7.1790000000000000123.0",
        "$JS.ACK.chile.account.EVENTS_chile.reader.1.41.7.1790000000000000123.0",
        "$JS.ACK.chile.account.EVENTS_chile.reader.1.41.7.1790000000000000123.0.token",
    ],
)
def test_a_reply_subject_says_where_a_message_stands(reply: str) -> None:
    assert delivery_of(reply) == (41, 7, 1790000000000000123)
