"""Writing records into a stream again, in order, many under way, each under its own sequence.

Traps:
- NATS' client sends headers as it likes to write them. What was stored is sent as it was, through the client's own
  queue of commands.
- A message whose id came within the stream's duplicate window is dropped: in the log two of one id are far apart,
  here they may be neighbours. The second waits until the window has passed.
"""

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.protocol import command

from contracts.subjects import restored
from libs.bus.connection import unavailable
from libs.errors import ChasquiError, Permanent, Retriable, UserError
from libs.eventlog.records import LogRecord

WINDOW_S = 0.1
"""The shortest duplicate window that the server allows."""
APART_S = 1.0
"""Two messages of one id are kept so far apart: the server forgets ids a while after the window has passed."""
UNDER_WAY = 1024
MOST_BYTES = 16 << 20
SILENT_S = 15.0


class RecordWriter:
    """Stores records in the stream of a site that is being restored. Enter it before use.

    Args:
        client: A connected NATS client.
        site: The site.
    """

    def __init__(self, client: Client, site: str) -> None:
        self._client = client
        self._site = site
        self._inbox = client.new_inbox()
        self._under_way: OrderedDict[int, int] = OrderedDict()
        self._bytes = 0
        self._moved = asyncio.Event()
        self._failure: ChasquiError | None = None
        self._reconnects = client.stats["reconnects"]
        self._ids: OrderedDict[bytes, float] = OrderedDict()
        self._answers: Subscription | None = None

    async def __aenter__(self) -> Self:
        self._answers = await self._client.subscribe(f"{self._inbox}.*", cb=self._answered)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Whoever goes on after a failure must not meet what was still under way.
        with suppress(ChasquiError):
            while kind is not None and self._under_way and self._failure is None:
                await self._progress()
        if self._answers is not None and not self._client.is_closed:
            await self._answers.unsubscribe()

    async def write(self, records: Sequence[LogRecord]) -> None:
        """Send records; returns while some of them are still under way.

        Raises:
            Permanent: ``record_foreign``: one is no event of the site; ``sequence_taken``: somebody else writes.
            UserError: ``max_payload``: the server takes no messages as large.
            Retriable: ``restore_interrupted``, ``bus_unavailable``.
        """
        for record in records:
            await self._keep_apart(record)
            size = len(record.headers) + len(record.data)
            while len(self._under_way) >= UNDER_WAY or (self._under_way and self._bytes + size > MOST_BYTES):
                await self._progress()
            await self._send(record, size)
        await self._flush()
        self._raise_failure()

    async def drain(self) -> None:
        """Wait until everything is stored.

        Raises:
            Permanent, Retriable: As `write`.
        """
        await self._flush()
        while self._under_way:
            await self._progress()
        self._raise_failure()

    async def _send(self, record: LogRecord, size: int) -> None:
        subject = restored(self._site, record.subject)
        if subject is None:
            raise Permanent(
                "record_foreign",
                f"message {record.sequence} has the subject {record.subject!r}, which is none of {self._site}",
                "The archive's log is not this site's: look at the log folder in the deployment file.",
            )
        if size > self._client.max_payload:
            raise UserError(
                "max_payload",
                f"message {record.sequence} has {size} bytes, the server takes {self._client.max_payload}",
                "Set max_payload of the NATS server to what it was.",
            )
        reply = f"{self._inbox}.{record.sequence}"
        self._under_way[record.sequence] = size
        self._bytes += size
        sent = (
            command.hpub_cmd(subject, reply, record.headers, record.data)
            if record.headers
            else command.pub_cmd(subject, reply, record.data)
        )
        await self._client._send_command(sent)  # noqa: SLF001 - publish() would write the headers anew

    async def _keep_apart(self, record: LogRecord) -> None:
        name = record.message_id()
        now = time.monotonic()
        while self._ids and next(iter(self._ids.values())) < now - APART_S:
            self._ids.popitem(last=False)
        if name is None:
            return
        if name in self._ids:
            await self.drain()
            await asyncio.sleep(APART_S)
        self._ids[name] = time.monotonic()
        self._ids.move_to_end(name)

    async def _flush(self) -> None:
        try:
            await self._client.flush(timeout=int(SILENT_S))
        except (NatsError, OSError, TimeoutError) as error:
            raise unavailable(str(self._client.connected_url), error) from error

    async def _progress(self) -> None:
        """Wait until the server has answered something."""
        self._raise_failure()
        self._moved.clear()
        await self._flush()
        try:
            async with asyncio.timeout(SILENT_S):
                while not self._moved.is_set() and self._under_way:
                    await self._moved.wait()
        except TimeoutError:
            raise _interrupted(f"nothing was stored for {SILENT_S:g} s") from None
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._client.stats["reconnects"] != self._reconnects:
            raise _interrupted("the connection to NATS was lost in between")

    async def _answered(self, message: Msg) -> None:
        sequence = int(message.subject.rpartition(".")[2])
        self._bytes -= self._under_way.pop(sequence, 0)
        self._moved.set()
        if self._failure is None:
            self._failure = _failure_of(sequence, message)


def _failure_of(sequence: int, message: Msg) -> ChasquiError | None:
    if message.headers:
        return _interrupted(f"nobody took message {sequence}: {message.headers}")
    answer = json.loads(message.data)
    if "error" in answer:
        return _interrupted(f"message {sequence} was not stored: {answer['error'].get('description')}")
    if answer.get("duplicate") or answer["seq"] != sequence:
        return Permanent(
            "sequence_taken",
            f"message {sequence} was stored as {answer['seq']}: somebody else writes to the stream",
            "Stop whoever writes to it, delete the stream (nats stream rm), and restore again.",
        )
    return None


def _interrupted(what: str) -> Retriable:
    return Retriable(
        "restore_interrupted",
        f"the restore was interrupted: {what}",
        "Run it again; it goes on where it was.",
    )
