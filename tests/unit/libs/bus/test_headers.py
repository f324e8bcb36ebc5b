"""Headers are read as nats-py reads them, whatever they look like."""

from hypothesis import example, given, settings
from hypothesis import strategies as st
from nats.aio.client import Client

from libs.bus.headers import QuickClient, parse_headers

LINES = st.lists(st.text(st.characters(codec="latin-1"), max_size=12) | st.just("ce-id: 7"), max_size=6)


@settings(deadline=None)  # how long an example takes depends on what else the machine does
@given(LINES, st.sampled_from(["latin-1", "utf-8"]))
@example(["Name:Value", "Name:\tValue ", " spaced : x", "in side: x", "no colon", ":", "", "a:b:c"], "utf-8")
@example(["\x1fname: x", "na\x0bme: x", "name\x0c: \x1c", "ce-subject: é漢"], "utf-8")
def test_as_nats_py_reads_them(lines: list[str], encoding: str) -> None:
    raw = "\r\n".join(lines).encode(encoding, "replace") + b"\r\n\r\n"
    assert parse_headers(raw) == Client._parse_header_lines(raw)


async def test_a_client_reads_so() -> None:
    """The one place of nats-py that this depends on is still there."""
    assert await QuickClient()._process_headers(b"NATS/1.0\r\nce-id: 7\r\n\r\n") == {"ce-id": "7"}
    assert QuickClient._parse_header_lines is parse_headers
    assert "_parse_header_lines" in vars(Client)
