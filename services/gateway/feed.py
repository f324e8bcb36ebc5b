"""The live feed: every event of the streams that this site has, read once, handed to every listener.

A listener has a queue of its own. Handing over never waits: a listener whose queue is full is dropped, and its
client, which knows where it was, comes again and is given what it missed from the streams.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from contracts.envelope import BadEnvelope, Envelope
from libs.bus.reading import read_batches
from libs.bus.stored import StoredMessage
from libs.ending import end
from libs.errors import Retriable, UserError
from libs.telemetry.logs import logger

WAITING_EACH = 2_000
"""Messages that wait for one listener before it is dropped."""

MOST_LISTENERS = 64
MOST_REPLAYED = 20_000
"""A client that missed more is told so, and goes on with what happens now."""

_RETRY_S = 1.0

Positions = dict[str, int]
"""By stream, the last sequence that was handed over."""


def cursor_of(positions: Positions) -> str:
    """Positions as the id of a server-sent event: ``stream:sequence``, with commas between several."""
    return ",".join(f"{stream}:{sequence}" for stream, sequence in sorted(positions.items()))


def read_cursor(text: str) -> Positions:
    """The positions that an id stands for.

    Raises:
        UserError: ``cursor_invalid``.
    """
    positions: Positions = {}
    for part in text.split(","):
        stream, colon, sequence = part.strip().rpartition(":")
        if not colon or not stream or not sequence.isascii() or not sequence.isdecimal():
            raise UserError(
                "cursor_invalid",
                f"{text[:80]!r} is no id of this feed",
                "Send the id of the last event as Last-Event-ID, unchanged, or none.",
            )
        positions[stream] = int(sequence[:19])
    return positions


def told(message: StoredMessage) -> str | None:
    """A message's envelope as JSON; None if it is no event."""
    try:
        envelope = Envelope.from_headers(message.headers)
    except BadEnvelope:
        return None
    return json.dumps(
        {
            "stream": message.stream,
            "sequence": message.sequence,
            "id": str(envelope.id),
            "type": envelope.type,
            "site": envelope.site,
            "service": envelope.service,
            "time": envelope.time.isoformat(),
            "about": envelope.about,
            "causation_id": envelope.causation_id,
        }
    )


def frame(data: str, cursor: str, event: str | None = None) -> bytes:
    """One server-sent event."""
    kind = f"event: {event}\n" if event else ""
    return f"{kind}id: {cursor}\ndata: {data}\n\n".encode()


class Listener:
    """One client's queue.

    Attributes:
        begins: Where the feed was when the listener came.
        over: Set when nothing more will come: it was too slow, or the gateway stops.
    """

    def __init__(self, begins: Positions) -> None:
        self.begins = begins
        self.over = asyncio.Event()
        self._waiting: deque[bytes] = deque()
        self._news = asyncio.Event()

    def offer(self, data: bytes) -> bool:
        """Take one more; False if there is no room."""
        if len(self._waiting) >= WAITING_EACH:
            return False
        self._waiting.append(data)
        self._news.set()
        return True

    def close(self) -> None:
        """Nothing more will come."""
        self.over.set()
        self._news.set()

    async def take(self, within_s: float) -> bytes:
        """Everything that waits; empty if nothing came in time, or nothing more will."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._news.wait()
        self._news.clear()
        taken = b"".join(self._waiting)
        self._waiting.clear()
        return taken


class Feed:
    """Reads the streams and hands out.

    Args:
        client: A connected NATS client.
        streams: The streams that can be read here.
    """

    def __init__(self, client: Client, streams: Sequence[str]) -> None:
        self._client = client
        self._streams = tuple(streams)
        self._positions: Positions = {}
        self._listeners: set[Listener] = set()
        self._open = True

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Read while the block runs; then every listener is told that it is over."""
        tasks = [asyncio.create_task(self._follow(stream)) for stream in self._streams]
        try:
            yield
        finally:
            self._open = False
            await end(*tasks)
            for listener in tuple(self._listeners):
                listener.close()

    @contextmanager
    def listening(self) -> Iterator[Listener]:
        """A listener of everything from now on.

        Raises:
            Retriable: ``too_many_listeners`` or ``stopping``.
        """
        if not self._open:
            raise Retriable("stopping", "the gateway is stopping", "Come again in a while.")
        if len(self._listeners) >= MOST_LISTENERS:
            raise Retriable(
                "too_many_listeners",
                f"{MOST_LISTENERS} clients listen already",
                "Close another page, or poll /status.",
            )
        listener = Listener(dict(self._positions))
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    async def missed(self, since: Positions, until: Positions) -> AsyncIterator[bytes]:
        """What came in the streams after `since`, up to and with `until`.

        Args:
            since: By stream; a stream it does not name is not replayed.
            until: By stream.
        """
        gaps = {s: (since[s], last) for s, last in until.items() if s in since and since[s] < last}
        at = {**until, **{s: since[s] for s in gaps}}
        if sum(last - first for first, last in gaps.values()) > MOST_REPLAYED:
            yield frame(json.dumps({"missed": True}), cursor_of(until), event="gap")
            return
        for stream, (first, last) in gaps.items():
            batches = read_batches(self._client, stream, start=first + 1)
            async with aclosing(batches):
                async for batch in batches:
                    for message in batch:
                        if message.sequence <= last and (data := told(message)) is not None:
                            at[stream] = message.sequence
                            yield frame(data, cursor_of(at))
                    if batch[-1].sequence >= last:
                        break
            at[stream] = last

    async def _follow(self, stream: str) -> None:
        last = await self._last_sequence(stream)
        self._positions[stream] = last
        batches = read_batches(self._client, stream, start=last + 1)
        async with aclosing(batches):
            async for batch in batches:
                for message in batch:
                    self._hand_out(message)

    async def _last_sequence(self, stream: str) -> int:
        """The end of a stream, as soon as the stream is there."""
        while True:
            try:
                info = await self._client.jetstream(timeout=5).stream_info(stream)
                return int(info.state.last_seq)
            except NotFoundError:
                logger("gateway").debug("stream_missing", stream=stream)
            except (NatsError, OSError, TimeoutError) as error:
                logger("gateway").warning("feed_waits", stream=stream, error=repr(error))
            await asyncio.sleep(_RETRY_S)

    def _hand_out(self, message: StoredMessage) -> None:
        # Without an await: a listener that comes sees the positions either before or after this message.
        self._positions[message.stream] = message.sequence
        if not self._listeners or (data := told(message)) is None:
            return
        framed = frame(data, cursor_of(self._positions))
        for listener in tuple(self._listeners):
            if not listener.offer(framed):
                self._listeners.discard(listener)
                listener.close()
                logger("gateway").info("listener_dropped", waiting=WAITING_EACH)
