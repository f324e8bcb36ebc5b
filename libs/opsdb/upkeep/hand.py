"""One of the processes that fold a long log together: run as ``python -m libs.opsdb.upkeep.hand``.

It is told in JSON lines: first where it works, then one part of the log after the other. It reads, decodes and folds a
part, says that it is ready, and waits for its turn to write: parts are written in their order. It ends when its input
does, whatever it is doing, so it does not outlive the process that started it.
"""

import asyncio
import gc
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import uvloop
from nats.aio.client import Client

from libs.bus.connection import BusAddress, connect
from libs.bus.ranges import read_range
from libs.bus.stored import StoredMessage
from libs.ending import end
from libs.errors import ChasquiError
from libs.opsdb.collecting import without_the_collector
from libs.opsdb.decoding import decode
from libs.opsdb.halving import apply_all, pass_over
from libs.opsdb.projection.applying import Batch
from libs.opsdb.projection.reconciling import Conclusions
from libs.opsdb.writer import OpsDbWriter
from libs.telemetry import logs

BATCH_EVENTS = 10_000
BATCH_BYTES = 32 << 20
"""A batch ends with the message that makes it longer than either: memory stays flat however long events are."""

_AT_ONCE = 2000

Told = asyncio.Queue[dict[str, Any]]
"""What was heard."""


async def main() -> None:
    """Work until the input ends, or something stands in the way."""
    told: Told = asyncio.Queue()
    work, hearing = asyncio.create_task(_work(told)), asyncio.create_task(_hear(told))
    await asyncio.wait((work, hearing), return_when=asyncio.FIRST_COMPLETED)
    await end(hearing)
    if not work.done():
        await end(work)
    elif isinstance(error := work.exception(), ChasquiError):
        _say(kind=type(error).__name__, problem=error.problem.model_dump())
    elif error is not None:
        raise error


async def _hear(told: Told) -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        told.put_nowait(json.loads(line))


async def _work(told: Told) -> None:
    where = await told.get()
    client = await connect(BusAddress(**where["bus"]), name=where["name"])
    try:
        async with OpsDbWriter.open(
            where["dsn"], schema=where["schema"], name=where["name"], drawing=Conclusions.LATER
        ) as writer:
            while True:
                await _fold(client, writer, await told.get(), told)
    finally:
        await client.close()


async def _fold(client: Client, writer: OpsDbWriter, part: dict[str, Any], told: Told) -> None:
    waiting = True
    async with aclosing(_batches(client, **part)) as batches:
        async for batch, events in batches:
            if waiting:
                _say(ready=True)
                await told.get()
                waiting = False
            await apply_all(writer, batch, pass_over)
            del batch
            gc.collect()
            _say(folded=events)
    _say(done=True)


async def _batches(
    client: Client, stream: str, domain: str | None, first: int, last: int
) -> AsyncGenerator[tuple[Batch, int], None]:
    """The part's batches, each with what it comes to, and how many messages they are."""
    messages: list[StoredMessage] = []
    size = 0
    async with aclosing(read_range(client, stream, first, last, max_batch=_AT_ONCE, domain=domain)) as ranges:
        async for some in ranges:
            messages += some
            size += sum(len(message.data) for message in some)
            if len(messages) >= BATCH_EVENTS or size >= BATCH_BYTES:
                yield _batch(stream, messages), len(messages)
                messages, size = [], 0
    if messages:
        yield _batch(stream, messages), len(messages)


def _batch(stream: str, messages: list[StoredMessage]) -> Batch:
    batch = Batch(decode(messages).happenings, {stream: messages[-1].sequence})
    _ = batch.effect
    return batch


def _say(**what: Any) -> None:  # noqa: ANN401 - JSON of any kind
    print(json.dumps(what), flush=True)  # noqa: T201 - how it talks to the process that started it


if __name__ == "__main__":
    logs.configure(level="WARNING")
    with without_the_collector():
        uvloop.run(main())
