"""Messages as they were first published, however they came here: from their stream, or sent again.

A message that is handled again (the retry of a dead letter, a replay) comes over ``REPLAY_<site>``, whole, with what it
was in headers of ours. Everything that looks at a message (decoding, the delivery that a handler is given, its burial)
looks at its origin, so that a handler need not know.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from nats.aio.msg import Msg
from pydantic import TypeAdapter, ValidationError

from contracts.base import Message, Utc
from contracts.problems import Problem
from contracts.states import FailureKind
from contracts.subjects import REPLAY_ROOT
from libs.errors import Poison

PREFIX = "chasqui-replay-"
_SUBJECT, _ORIGIN, _BY = f"{PREFIX}subject", f"{PREFIX}origin", f"{PREFIX}by"
_LETTER, _HISTORY, _REFERENCE = f"{PREFIX}letter", f"{PREFIX}history", f"{PREFIX}by-reference"
_OF_THE_SERVER = "nats-"
_ROOM = 1024
"""Bytes that the client adds to headers and body, generously."""

MOST_HISTORY = 10
"""Earlier burials that a letter remembers; the oldest are forgotten first, but the count goes on."""


class Burial(Message):
    """One time that a message was given up.

    Attributes:
        burial: Counted from 1.
        attempts: How often it was handled in vain before, earlier burials included.
        retried_by: Who had it sent again afterwards; None for the burial that it lies in now.
    """

    burial: int
    buried_at: Utc
    failure: FailureKind
    attempts: int
    problem: Problem
    retried_by: str | None = None
    retried_at: Utc | None = None


History = tuple[Burial, ...]
_HISTORIES: TypeAdapter[History] = TypeAdapter(History)


@dataclass(frozen=True, slots=True)
class Origin:
    """A message as it was first published.

    Attributes:
        headers: Its own; neither the server's nor ours.
        stream: The stream it came from; None for a request.
        sequence: Its sequence there.
        letter_id: The dead letter whose retry this is, if it is one.
        history: The burials of that letter, the newest last.
        replayed: Whether it was sent again: as a retry, or by a replay.
        by_reference: Whether its bytes have to be read from its stream, for they are too large to be sent again.
    """

    subject: str
    headers: Mapping[str, str]
    data: bytes
    stream: str | None
    sequence: int | None
    letter_id: UUID | None = None
    history: History = ()
    replayed: bool = False
    by_reference: bool = False

    @property
    def type(self) -> str:
        """The event's type as its subject says; the subject itself if it says none."""
        return type_of(self.subject)

    @property
    def entity_id(self) -> str | None:
        """The id of what it is about, if that can be read."""
        return self.headers.get("ce-subject") or None

    @property
    def event_id(self) -> str | None:
        """Its CloudEvents id, if that can be read."""
        return self.headers.get("ce-id") or None

    @property
    def burials(self) -> int:
        """How often it was given up before."""
        return self.history[-1].burial if self.history else 0

    @property
    def attempts(self) -> int:
        """How often it was handled in vain before it was sent again."""
        return self.history[-1].attempts if self.history else 0

    def place(self) -> str:
        """Where it stands: ``stream:sequence``, or ``request``."""
        return f"{self.stream}:{self.sequence}" if self.stream else "request"


def type_of(subject: str) -> str:
    """The type of the event with this subject: ``chasqui.<entity>.<fact>.v<n>``; the subject if it says none."""
    parts = subject.split(".", 2)
    return f"chasqui.{parts[2]}" if parts[0] == "chasqui" and len(parts) == 3 else subject  # noqa: PLR2004


def own_headers(headers: Mapping[str, str] | None, *prefixes: str) -> dict[str, str]:
    """Headers without the server's and those that begin with one of the prefixes."""
    apart = (_OF_THE_SERVER, *prefixes)
    return {name: value for name, value in (headers or {}).items() if not name.lower().startswith(apart)}


def as_delivered(raw: Msg) -> Origin:
    """A message for what it is on the wire."""
    position = raw.metadata
    return Origin(raw.subject, own_headers(raw.headers), raw.data, position.stream, position.sequence.stream)


def origin_of(raw: Msg) -> Origin:
    """The origin of a message as it was delivered.

    Raises:
        Poison: ``bad_replay``: it was sent again by something else than Chasqui.
    """
    if not raw.subject.startswith(f"{REPLAY_ROOT}."):
        return as_delivered(raw)
    headers = raw.headers or {}
    try:
        stream, sequence = place_of(headers[_ORIGIN])
        return Origin(
            subject=headers[_SUBJECT],
            headers=own_headers(headers, PREFIX),
            data=raw.data,
            stream=stream,
            sequence=sequence,
            letter_id=UUID(headers[_LETTER]) if _LETTER in headers else None,
            history=read_history(headers.get(_HISTORY)),
            replayed=True,
            by_reference=_REFERENCE in headers,
        )
    except (KeyError, ValueError) as error:
        raise Poison(
            "bad_replay",
            f"a message on {raw.subject} does not say what it was: {error!r}",
            "Send messages again with chasqui dead retry or chasqui replay only; drop this letter.",
        ) from error


def replay_headers(origin: Origin, *, by: str, message_id: str) -> dict[str, str]:
    """The headers with which a message is sent again; `origin_of` reads them.

    Args:
        origin: The message.
        by: Who sends it.
        message_id: What the server tells repeats by.
    """
    headers = {
        **origin.headers,
        _SUBJECT: origin.subject,
        _ORIGIN: origin.place(),
        _BY: by,
        "Nats-Msg-Id": message_id,
    }
    if origin.letter_id is not None:
        headers |= {_LETTER: str(origin.letter_id), _HISTORY: write_history(origin.history)}
    if origin.by_reference:
        headers[_REFERENCE] = "true"
    return headers


def sent_again(origin: Origin, *, by: str, message_id: str, most: int) -> tuple[dict[str, str], bytes]:
    """The headers and the body with which a message is sent again.

    If both together are more than the `most` bytes that the server takes, the body stays where it is in its stream, and
    the handler's bus fetches it from there.
    """
    headers = replay_headers(origin, by=by, message_id=message_id)
    size = len(origin.data) + sum(len(name) + len(value.encode()) + 4 for name, value in headers.items())
    if size + _ROOM <= most:
        return headers, origin.data
    return replay_headers(replace(origin, by_reference=True), by=by, message_id=message_id), b""


def place_of(text: str) -> tuple[str | None, int | None]:
    """A stream and a sequence from ``stream:sequence``; neither from ``request``.

    Raises:
        ValueError: It is neither.
    """
    if text == "request":
        return None, None
    stream, _, sequence = text.rpartition(":")
    if not stream:
        raise ValueError(f"{text!r} is no place in a stream")
    return stream, int(sequence)


def write_history(history: History) -> str:
    """Burials as a header, ASCII, the newest ones if there are many."""
    told = [burial.model_dump(mode="json", exclude_none=True) for burial in history[-MOST_HISTORY:]]
    return json.dumps(told, ensure_ascii=True, separators=(",", ":"))


def read_history(text: str | None) -> History:
    """Burials from a header.

    Raises:
        ValueError: It is none of ours.
    """
    if text is None:
        return ()
    try:
        return _HISTORIES.validate_json(text)
    except ValidationError as error:
        raise ValueError(str(error)) from error
