"""A stream: messages in order, each id once within a window of time, writes that hold only if nothing is newer."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from contracts.envelope import MESSAGE_ID_HEADER
from libs.bus.publishing import WRONG_LAST_SEQUENCE
from libs.bus.stored import StoredMessage

EXPECTED_SEQUENCE = "Nats-Expected-Last-Subject-Sequence"
EXPECTED_SUBJECT = "Nats-Expected-Last-Subject-Sequence-Subject"
EXPECTED_LAST = "Nats-Expected-Last-Sequence"

Answer = dict[str, object]
"""What the server says to a publisher, as its JSON has it."""


@dataclass(frozen=True)
class Seen:
    """A message id: where it is, and until when a repeat of it is recognised."""

    sequence: int
    until: float


class Stream:
    """A stream of one server.

    Args:
        name: Its name.
        window_s: How long message ids are remembered.

    Attributes:
        messages: From sequence 1.
        listeners: Called after each message.
        readers: Woken by the next message.
        gone: Sequences of messages that were deleted.
    """

    def __init__(self, name: str, window_s: float) -> None:
        self.name = name
        self.messages: list[StoredMessage] = []
        self.listeners: list[Callable[[StoredMessage], None]] = []
        self.readers: list[asyncio.Future[None]] = []
        self.gone: set[int] = set()
        self._window_s = window_s
        self._seen: dict[str, Seen] = {}
        self._last: dict[str, int] = {}

    @property
    def last_sequence(self) -> int:
        """Of the newest message; 0 before the first."""
        return len(self.messages)

    def store(
        self, subject: str, data: bytes, headers: Mapping[str, str], *, now: float, time: datetime
    ) -> Answer:
        """Store a message, recognise a repeat, or refuse: in the server's order.

        Args:
            subject: Of the message.
            data: Its body.
            headers: Those for the server included.
            now: On the server's own clock, seconds.
            time: To stamp it with.
        """
        key = headers.get(MESSAGE_ID_HEADER)
        seen = self._seen.get(key) if key is not None else None
        if seen is not None and now < seen.until:
            return {"stream": self.name, "seq": seen.sequence, "duplicate": True}
        if (newest := self._unexpected(subject, headers)) is not None:
            description = f"wrong last sequence: {newest}"
            return {"error": {"code": 400, "err_code": WRONG_LAST_SEQUENCE, "description": description}}
        message = StoredMessage(self.name, self.last_sequence + 1, subject, dict(headers), data, time)
        if key is not None:
            self._seen[key] = Seen(message.sequence, now + self._window_s)
        self.add(message)
        return {"stream": self.name, "seq": message.sequence}

    def _unexpected(self, subject: str, headers: Mapping[str, str]) -> int | None:
        """The sequence of the newest message, if a publisher expected another one."""
        last = headers.get(EXPECTED_LAST)
        if last is not None and int(last) != self.last_sequence:
            return self.last_sequence
        expected = headers.get(EXPECTED_SEQUENCE)
        newest = 0 if expected is None else self.last_of(headers.get(EXPECTED_SUBJECT, subject))
        return newest if expected is not None and newest != int(expected) else None

    def add(self, message: StoredMessage) -> None:
        """Append a message that has its sequence: a mirror's way."""
        self.messages.append(message)
        self._last[message.subject] = message.sequence
        readers, self.readers = self.readers, []
        for reader in readers:
            if not reader.done():
                reader.set_result(None)
        for listener in self.listeners:
            listener(message)

    def last_of(self, pattern: str) -> int:
        """The sequence of the newest message whose subject matches; 0 for none."""
        return max((n for subject, n in self._last.items() if matches(pattern, subject)), default=0)

    def find_last(self, pattern: str) -> StoredMessage | None:
        """The newest message whose subject matches."""
        sequence = self.last_of(pattern)
        return self.messages[sequence - 1] if sequence else None

    def find_next(self, sequence: int, pattern: str) -> StoredMessage | None:
        """The first message from a sequence on whose subject matches."""
        for message in self.messages[max(sequence - 1, 0) :]:
            if matches(pattern, message.subject) and message.sequence not in self.gone:
                return message
        return None

    def delete(self, sequence: int) -> bool:
        """Delete a message; whether it was there."""
        if not 1 <= sequence <= self.last_sequence or sequence in self.gone:
            return False
        self.gone.add(sequence)
        subject = self.messages[sequence - 1].subject
        left = (one.sequence for one in reversed(self.messages) if one.subject == subject)
        newest = next((one for one in left if one not in self.gone), None)
        if newest is None:
            self._last.pop(subject, None)
        else:
            self._last[subject] = newest
        return True

    def purge(self, subject: str, keep: int) -> None:
        """Delete all messages with a subject but the newest ones."""
        there = [one.sequence for one in self.messages if one.subject == subject]
        for sequence in [one for one in there if one not in self.gone][: -keep or None]:
            self.delete(sequence)


@lru_cache(maxsize=10_000)
def matches(pattern: str, subject: str) -> bool:
    """Whether a subject matches a pattern of tokens, ``*`` for one and a closing ``>`` for one or more."""
    wanted, found = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        if len(found) < len(wanted):
            return False
        wanted = wanted[:-1]
        found = found[: len(wanted)]
    return len(wanted) == len(found) and all(
        token in ("*", there) for token, there in zip(wanted, found, strict=True)
    )
