"""One message of a stream as a line of JSON: every byte of it, with its sequence and the time it was stored."""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from contracts.envelope import MESSAGE_ID_HEADER

_EMPTY = b"NATS/1.0"
_EXPECTATION = b"Nats-Expected-"
_ID = MESSAGE_ID_HEADER.encode().lower() + b":"


class BadRecord(ValueError):
    """A line that is no record."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A message as it stands in a stream.

    Attributes:
        sequence: Its place, from 1.
        headers: The whole block as the server keeps it, from ``NATS/1.0`` to the empty line; empty if it has none.
        data: The body.
        time: When the stream stored it, as the server writes it (RFC 3339, UTC, to the nanosecond).
    """

    sequence: int
    subject: str
    headers: bytes
    data: bytes
    time: str

    def line(self) -> bytes:
        """The record as JSON, with its line feed."""
        document: dict[str, object] = {"sequence": self.sequence, "time": self.time, "subject": self.subject}
        document |= _packed("headers", self.headers) | _packed("data", self.data)
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    def digest(self) -> str:
        """SHA-256 of all that the message says, hexadecimal.

        Not the time it was stored, which a restore changes; nor the headers with which its publisher told the
        server what it expected, which mirrors leave out.
        """
        sha = hashlib.sha256()
        for part in (str(self.sequence).encode(), self.subject.encode(), _said(self.headers), self.data):
            sha.update(len(part).to_bytes(8, "big"))
            sha.update(part)
        return sha.hexdigest()

    def message_id(self) -> bytes | None:
        """The ``Nats-Msg-Id`` by which the server recognises a repeat."""
        for line in self.headers.split(b"\r\n"):
            if line[: len(_ID)].lower() == _ID:
                return line[len(_ID) :].strip()
        return None


def record_of(line: bytes) -> LogRecord:
    """Read a line back.

    Raises:
        BadRecord: It is no record.
    """
    try:
        document = json.loads(line)
        return LogRecord(
            sequence=int(document["sequence"]),
            subject=str(document["subject"]),
            headers=_unpacked(document, "headers"),
            data=_unpacked(document, "data"),
            time=str(document["time"]),
        )
    except (ValueError, TypeError, KeyError, binascii.Error) as error:
        raise BadRecord(f"a line is no record: {error!r}") from error


def _said(block: bytes) -> bytes:
    """A block of headers without what it says to the server alone; empty if nothing else is in it."""
    lines = [line for line in block.split(b"\r\n") if not line.startswith(_EXPECTATION)]
    return b"" if lines == [_EMPTY, b"", b""] else b"\r\n".join(lines)


def _packed(name: str, data: bytes) -> dict[str, str]:
    """Text where it is text, for people and for the compressor."""
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(data).decode()}


def _unpacked(document: dict[str, Any], name: str) -> bytes:
    if name in document:
        return str(document[name]).encode()
    return base64.b64decode(document[f"{name}_base64"], validate=True)
