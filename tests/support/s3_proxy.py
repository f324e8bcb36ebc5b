"""A reverse proxy in front of a real S3 server, which now and then does what servers and networks do.

Requests and answers pass as they are, byte for byte, with their `Host`: signatures stay valid. Nothing is kept
whole in memory. Only the time of day that answers tell may be another one.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from enum import Enum
from urllib.parse import urlsplit

from tests.support.http_wire import Head, copied, read_head
from tests.support.own_loop import LOCALHOST, OwnLoopServer, close, reset

SLOW_PAUSE_S = 0.05
GOLDEN = 0.618034
"""Multiples of it lie all over the place between whole numbers."""


class Fault(Enum):
    """What happens to a request."""

    INTERNAL_ERROR = "500"
    """Answered 500 InternalError; the server never sees it."""
    SLOW_DOWN = "503"
    """Answered 503 SlowDown; the server never sees it."""
    SILENT = "silent"
    """Never answered; after a while the connection is gone."""
    RESET_AT_ONCE = "reset at once"
    """The connection is reset before the server sees the request."""
    RESET_IN_REQUEST = "reset in the request"
    """The connections are reset when half of the body has gone to the server."""
    ANSWER_LOST = "answer lost"
    """The server does the work; its answer never comes, the connection is reset."""
    RESET_IN_ANSWER = "reset in the answer"
    """The connection is reset after half of the answer's body."""
    TRUNCATED = "truncated"
    """The answer's body ends, in order, after its half."""
    STALLED = "stalled"
    """Half of the answer's body, then nothing for a while, then the connection is gone."""
    SLOW = "slow"
    """The answer's body trickles."""
    FLIPPED = "flipped"
    """One bit of the body, the answer's of GET, the request's otherwise, is another one; elsewhere each time."""


Choice = Callable[[Head], Fault | None]
"""Decides about each request; called in the proxy's thread."""

_ERRORS = {
    Fault.INTERNAL_ERROR: (b"500 Internal Server Error", b"InternalError"),
    Fault.SLOW_DOWN: (b"503 Slow Down", b"SlowDown"),
}


def nothing(_: Head) -> Fault | None:
    """No faults."""
    return None


class S3Proxy(OwnLoopServer):
    """The proxy.

    Args:
        server: ``http://host:port`` of the S3 server.
        patience_s: After so many seconds of silence a connection is gone.

    Attributes:
        choice: Decides; may be replaced at any time, and so may `patience_s` and `ahead`.
        ahead: So much later than the server's is the time of day that its answers tell.
        happened: How often each fault happened, by method.
    """

    def __init__(self, server: str, patience_s: float = 2.0) -> None:
        super().__init__()
        parts = urlsplit(server)
        self._server = (parts.hostname or LOCALHOST, parts.port or 80)
        self.patience_s = patience_s
        self.ahead = timedelta()
        self.choice: Choice = nothing
        self.happened: Counter[tuple[Fault, str]] = Counter()

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://{LOCALHOST}:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client's connection."""
        upstream = await asyncio.open_connection(*self._server, limit=1 << 18)
        try:
            while (head := await read_head(reader)) is not None:
                fault = self.choice(head)
                if fault is not None:
                    self.happened[fault, head.method] += 1
                where = (0.5 + self.happened[Fault.FLIPPED, head.method] * GOLDEN) % 1
                ends = ((reader, writer), upstream)
                exchange = _Exchange(head, fault, ends, self.patience_s, where=where, ahead=self.ahead)
                if not await exchange.play():
                    return
        finally:
            await close(upstream[1])


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Exchange:
    """One request and its answer."""

    def __init__(
        self,
        head: Head,
        fault: Fault | None,
        ends: tuple[Ends, Ends],
        patience_s: float,
        *,
        where: float,
        ahead: timedelta,
    ) -> None:
        client, server = ends
        self._where = where
        self._ahead = ahead
        self._head = head
        self._fault = fault
        self._client, self._to_client = client
        self._server, self._to_server = server
        self._patience_s = patience_s

    async def play(self) -> bool:
        """Let it happen; whether the connections are still of use."""
        match self._fault:
            case Fault.INTERNAL_ERROR | Fault.SLOW_DOWN:
                await self._refuse(*_ERRORS[self._fault])
                return False
            case Fault.RESET_AT_ONCE:
                return self._reset()
            case Fault.SILENT:
                await asyncio.sleep(self._patience_s)
                return self._reset()
            case _:
                return await self._pass()

    async def _refuse(self, status: bytes, code: bytes) -> None:
        if not self._head.expects_continue:
            await copied(self._client, self._head.length or 0)
        body = b"<Error><Code>%s</Code><Message>A fault of the test.</Message></Error>" % code
        if self._head.method == "HEAD":
            body = b""
        self._to_client.write(
            b"HTTP/1.1 %s\r\nContent-Type: application/xml\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
            % (status, len(body))
        )
        self._to_client.write(body)
        await self._to_client.drain()

    def _reset(self) -> bool:
        reset(self._to_client)
        reset(self._to_server)
        return False

    async def _pass(self) -> bool:
        self._to_server.write(self._head.raw)
        sending = asyncio.create_task(self._send())
        try:
            answer = await self._answer(sending)
            if answer is None:
                return self._reset()
            whole = await self._hand_back(answer)
        finally:
            sent = sending.done()
            sending.cancel()
            await asyncio.wait({sending})
        return whole and sent and not answer.closes

    async def _send(self) -> None:
        """The request's body; with `RESET_IN_REQUEST` only half of it."""
        length = self._head.length or 0
        if self._fault is Fault.RESET_IN_REQUEST:
            await copied(self._client, length // 2, self._to_server)
            raise ConnectionResetError
        flip = (
            int(length * self._where) if self._fault is Fault.FLIPPED and self._head.method != "GET" else None
        )
        await copied(self._client, length, self._to_server, flip=flip)

    async def _answer(self, sending: "asyncio.Task[None]") -> Head | None:
        """The head of the final answer; None if there is none. Interim answers are handed on at once."""
        while True:
            reading = asyncio.create_task(read_head(self._server))
            waiting = {reading} if sending.done() and not _failed(sending) else {reading, sending}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            while not reading.done() and not _failed(sending):
                await asyncio.wait({reading})
            if _failed(sending):
                reading.cancel()
                await asyncio.wait({reading})
                return None
            head = reading.result()
            if head is None or not head.is_interim:
                return head
            self._to_client.write(head.raw)

    async def _hand_back(self, answer: Head) -> bool:
        """The final answer; whether all of it went to the client."""
        length = answer.body_length(self._head.method)
        if self._fault is Fault.ANSWER_LOST:
            await copied(self._server, length)
            return self._reset()
        half = None if not length or self._head.method != "GET" else length // 2
        if self._fault is Fault.RESET_IN_ANSWER and half is None:
            return self._reset()
        self._to_client.write(_told_later(answer, self._ahead))
        match self._fault:
            case Fault.RESET_IN_ANSWER | Fault.TRUNCATED | Fault.STALLED if half is not None:
                await copied(self._server, half, self._to_client)
                return await self._break_off()
            case Fault.SLOW:
                await copied(self._server, length, self._to_client, pause_s=SLOW_PAUSE_S)
            case Fault.FLIPPED:
                flip = None if half is None else int(half * 2 * self._where)
                await copied(self._server, length, self._to_client, flip=flip)
            case _:
                await copied(self._server, length, self._to_client)
        return length is not None

    async def _break_off(self) -> bool:
        await self._to_client.drain()
        if self._fault is Fault.STALLED:
            await asyncio.sleep(self._patience_s)
        if self._fault is not Fault.TRUNCATED:
            self._reset()
        return False


def _told_later(answer: Head, ahead: timedelta) -> bytes:
    """The head of an answer that is given so much later."""
    told = answer.fields.get("date")
    if not ahead or told is None:
        return answer.raw
    later = format_datetime(parsedate_to_datetime(told) + ahead, usegmt=True)
    return re.sub(rb"(?im)^date:[^\r\n]*", f"Date: {later}".encode(), answer.raw)


def _failed(task: "asyncio.Task[None]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
