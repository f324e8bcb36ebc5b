"""Dead letters on the wire: a message kept whole beside the reason why it could not be handled.

A letter is one message of ``DEAD_<site>``: the body as it came, the message's own headers, and ``chasqui-dead-…``
headers that say what it was, who gave it up, when, why, how often, and what became of it before.
"""

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from contracts.letters import LetterBuried, letter_id
from contracts.problems import Problem
from contracts.states import FailureKind
from libs.bus.origin import (
    Burial,
    History,
    Origin,
    own_headers,
    place_of,
    read_history,
    write_history,
)
from libs.telemetry.tracing import current_traceparent

PREFIX = "chasqui-dead-"
ROOM_FOR_HEADERS = 1 << 15
"""Bytes of headers that a letter may have besides its own; more are left out."""
ROOM_FOR_LETTER = 4 * ROOM_FOR_HEADERS
"""Bytes of the server's message limit that a letter's headers may take in all."""
LONGEST_REASON = 2000
"""Letters of a reason or remedy; a reason that quotes a whole file must not keep a letter from being stored."""
LONGEST_MEMORY = 300
"""Letters of the reasons of earlier burials."""
_ABOUT_LETTERS = f"chasqui.{LetterBuried.entity}."


class NoLetter(ValueError):
    """A message of the dead-letter stream that is no letter of ours."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter.

    Attributes:
        id: `contracts.letters.letter_id`; the same for all burials of a message by one handler.
        origin: The message; its history tells of earlier burials.
        service: Who gave it up; so is `handler`.
        burial: Counted from 1.
        attempts: How often it was handled in vain, earlier burials included.
        trace: The W3C ``traceparent`` of the attempt that was the last, if it was traced.
        cut_from: Bytes of the whole message, if the letter has not all of them.
        position: Its sequence in the dead-letter stream; 0 before it is stored.
    """

    id: UUID
    origin: Origin
    service: str
    handler: str
    burial: int
    failure: FailureKind
    attempts: int
    problem: Problem
    host: str
    pid: int
    buried_at: datetime
    trace: str | None = None
    cut_from: int | None = None
    position: int = 0

    def said(self) -> LetterBuried:
        """The event of this burial: the same, however often it is made."""
        return LetterBuried(
            letter_id=self.id,
            burial=self.burial,
            service=self.service,
            handler=self.handler,
            stream=self.origin.stream,
            sequence=self.origin.sequence,
            type=self.origin.type,
            entity_id=self.origin.entity_id,
            failure=self.failure,
            attempts=self.attempts,
            problem=self.problem,
        )

    def told(self) -> tuple[LetterBuried, ...]:
        """`said`; nothing of what a projector cannot read of the letters themselves, or it would go on for ever."""
        return () if self.origin.type.startswith(_ABOUT_LETTERS) else (self.said(),)

    def as_burial(self, *, retried_by: str, retried_at: datetime) -> Burial:
        """This burial as part of the history of the next one."""
        return Burial(
            burial=self.burial,
            buried_at=self.buried_at,
            failure=self.failure,
            attempts=self.attempts,
            problem=bounded(self.problem, LONGEST_MEMORY),
            retried_by=retried_by,
            retried_at=retried_at,
        )

    def headers(self) -> dict[str, str]:
        """The headers of the letter; `read_letter` reads them."""
        headers = _handed_on(self.origin.headers) | {
            f"{PREFIX}id": str(self.id),
            f"{PREFIX}subject": self.origin.subject,
            f"{PREFIX}origin": self.origin.place(),
            f"{PREFIX}service": self.service,
            f"{PREFIX}handler": self.handler,
            f"{PREFIX}burial": str(self.burial),
            f"{PREFIX}failure": self.failure.value,
            f"{PREFIX}attempts": str(self.attempts),
            f"{PREFIX}host": self.host,
            f"{PREFIX}pid": str(self.pid),
            f"{PREFIX}time": self.buried_at.isoformat(),
            f"{PREFIX}problem": json.dumps(self.problem.model_dump(), ensure_ascii=True),
        }
        if self.trace:
            headers[f"{PREFIX}trace"] = self.trace
        if self.origin.history:
            headers[f"{PREFIX}history"] = write_history(self.origin.history)
        if self.cut_from is not None:
            headers[f"{PREFIX}cut-from"] = str(self.cut_from)
        return headers


def letter_of(
    origin: Origin,
    problem: Problem,
    failure: FailureKind,
    *,
    site: str,
    service: str,
    handler: str,
    attempts: int,
    room: int,
) -> Letter:
    """The letter in which a message is buried now.

    Args:
        origin: The message.
        problem: Why it was given up.
        failure: What kind of reason that is.
        site: Where the service runs.
        service: Who gives it up; so is `handler`.
        handler: See `service`.
        attempts: How often it was handled in vain since it last came.
        room: Bytes of the server's message limit.
    """
    whole = origin.data
    kept = whole[: max(0, room - ROOM_FOR_LETTER)]
    cut = len(kept) < len(whole) or origin.by_reference or not _all_handed_on(origin.headers)
    return Letter(
        id=identity_of(origin, site=site, service=service, handler=handler),
        origin=replace(origin, data=kept),
        service=service,
        handler=handler,
        burial=origin.burials + 1,
        failure=failure,
        attempts=origin.attempts + attempts,
        problem=bounded(problem, LONGEST_REASON),
        host=socket.gethostname(),
        pid=os.getpid(),
        buried_at=datetime.now(UTC),
        trace=current_traceparent(),
        cut_from=len(whole) if cut else None,
    )


def identity_of(origin: Origin, *, site: str, service: str, handler: str) -> UUID:
    """The id of the letter in which a handler gives a message up."""
    apart = origin.sequence if origin.sequence is not None else (origin.event_id or origin.subject)
    return origin.letter_id or letter_id(site, service, handler, origin.stream, apart)


def read_letter(headers: Mapping[str, str], data: bytes, *, site: str, position: int) -> Letter:
    """Read a letter back. Those of earlier versions, which had no id and said less, are read, too.

    Raises:
        NoLetter: It is none.
    """
    try:
        return _read(headers, data, site, position)
    except (KeyError, ValueError) as error:
        raise NoLetter(f"message {position} is no dead letter: {error!r}") from error


def _read(headers: Mapping[str, str], data: bytes, site: str, position: int) -> Letter:
    def told(name: str, default: str | None = None) -> str:
        return headers[PREFIX + name] if default is None else headers.get(PREFIX + name, default)

    stream, sequence = place_of(told("origin"))
    service, handler = told("service"), told("handler")
    history: History = read_history(headers.get(f"{PREFIX}history"))
    origin = Origin(told("subject"), own_headers(headers, PREFIX), data, stream, sequence, history=history)
    earlier = identity_of(origin, site=site, service=service, handler=handler)
    cut_from = headers.get(f"{PREFIX}cut-from")
    return Letter(
        id=(identity := UUID(told("id", str(earlier)))),
        origin=replace(origin, letter_id=identity),
        service=service,
        handler=handler,
        burial=int(told("burial", "1")),
        failure=FailureKind(told("failure", FailureKind.PERMANENT.value)),
        attempts=int(told("attempts")),
        problem=Problem.model_validate_json(told("problem")),
        host=told("host"),
        pid=int(told("pid")),
        buried_at=datetime.fromisoformat(told("time")),
        trace=headers.get(f"{PREFIX}trace"),
        cut_from=None if cut_from is None else int(cut_from),
        position=position,
    )


def bounded(problem: Problem, longest: int) -> Problem:
    """A problem whose texts are not longer than so many letters."""
    return Problem(
        code=problem.code,
        reason=_shortened(problem.reason, longest),
        remedy=_shortened(problem.remedy, longest),
    )


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _handed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """The message's own headers, if they leave room for the letter's."""
    return dict(headers) if _all_handed_on(headers) else {}


def _all_handed_on(headers: Mapping[str, str]) -> bool:
    return sum(len(name) + len(value.encode()) + 4 for name, value in headers.items()) <= ROOM_FOR_HEADERS
