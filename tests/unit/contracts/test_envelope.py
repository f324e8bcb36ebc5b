"""CloudEvents headers there and back."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from contracts.envelope import BadEnvelope, Envelope
from contracts.observations import ObservationStarted

NOW = datetime(2026, 3, 1, 4, 5, 6, 789, tzinfo=UTC)
EVENT = ObservationStarted(executed_obs_unit_id=uuid4(), instrument="camera", start_time=NOW)
ENVELOPE = Envelope.of(
    EVENT, site="chile", service="filing", time=NOW, causation_id="c", traceparent="00-aa-bb-01"
)


def test_headers_there_and_back() -> None:
    assert Envelope.from_headers(ENVELOPE.headers()) == ENVELOPE


def test_the_message_id_is_the_event_id() -> None:
    assert ENVELOPE.headers()["Nats-Msg-Id"] == str(EVENT.event_id("chile"))


def test_the_same_cause_gives_the_same_id_and_another_site_another() -> None:
    again = EVENT.model_copy(update={"conditions": {"pwv": 1}})
    assert again.event_id("chile") == EVENT.event_id("chile")
    assert again.event_id("cologne") != EVENT.event_id("chile")


@pytest.mark.parametrize("header", ["ce-id", "ce-type", "ce-source", "ce-time"])
@pytest.mark.parametrize("value", [None, "", "nonsense"])
def test_a_broken_header_is_named(header: str, value: str | None) -> None:
    if header == "ce-type" and value is not None:
        return  # any text is a type; the registry judges it
    headers = {key: text for key, text in ENVELOPE.headers().items() if key != header}
    if value is not None:
        headers[header] = value
    with pytest.raises(BadEnvelope):
        Envelope.from_headers(headers)
