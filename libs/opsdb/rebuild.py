"""Folding the log again, into a schema beside the live one."""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from nats.aio.client import Client

from libs.bus.reading import read_batches
from libs.errors import UserError
from libs.opsdb.decoding import decode
from libs.opsdb.halving import apply_all, pass_over
from libs.opsdb.migrating import migrate
from libs.opsdb.projection.applying import Batch
from libs.opsdb.upkeep.comparing import Difference, compare
from libs.opsdb.writer import OpsDbWriter

__all__ = ["Difference", "LogStream", "compare", "fold_on", "rebuild"]

_BATCH = 2000

OnEvents = Callable[[int], None]
"""Told how many events were folded since it was last told."""


@dataclass(frozen=True, slots=True)
class LogStream:
    """A stream to fold.

    Attributes:
        domain: JetStream domain it is in; the client's own if None.
    """

    name: str
    domain: str | None = None


async def rebuild(
    nc: Client, dsn: str, streams: Sequence[LogStream], schema: str, *, upto: dict[str, int] | None = None
) -> dict[str, int]:
    """Fold the whole log into a schema of its own.

    Args:
        nc: A client of the server that has the streams.
        dsn: With a role that may create the schema.
        streams: In any order.
        schema: Must be new, or have no tables that anything was folded into.
        upto: By stream, the last sequence to fold; what the stream has at the start if left out.

    Returns:
        By stream, the last sequence that was folded.

    Raises:
        UserError: ``schema_not_empty``, ``schema_in_use``.
        Retriable: ``opsdb_unavailable``.
    """
    await migrate(dsn, schema)
    reached: dict[str, int] = {}
    async with OpsDbWriter.open(dsn, schema=schema) as writer:
        await _require_fresh(writer, schema)
        for stream in streams:
            last = (upto or {}).get(stream.name)
            if last is None:
                last = await _last_sequence(nc, stream)
            await fold_on(nc, writer, stream, last)
            reached[stream.name] = last
    return reached


async def _require_fresh(writer: OpsDbWriter, schema: str) -> None:
    if not await writer.try_claim():
        raise UserError(
            "schema_in_use", f"a projector writes to the schema {schema!r}", "Rebuild into another schema."
        )
    if await writer.positions():
        raise UserError(
            "schema_not_empty",
            f"events were folded into the schema {schema!r} before",
            "Name a new schema, or drop this one first.",
        )


async def _last_sequence(nc: Client, stream: LogStream) -> int:
    js = nc.jetstream(domain=stream.domain) if stream.domain else nc.jetstream()
    return int((await js.stream_info(stream.name)).state.last_seq)


async def fold_on(
    nc: Client, writer: OpsDbWriter, stream: LogStream, last: int, on_events: OnEvents = lambda _: None
) -> None:
    """Fold a stream from where the writer's tables are up to a sequence, which it must have.

    Args:
        nc: A client of the server that has the stream.
        writer: Nobody else writes to its tables.
        stream: The stream.
        last: Its last sequence to fold.
        on_events: Told after each batch.

    Raises:
        Retriable: ``opsdb_unavailable``.
    """
    reached = (await writer.positions()).get(stream.name, 0)
    if reached >= last:
        return
    reading = read_batches(nc, stream.name, start=reached + 1, max_batch=_BATCH, domain=stream.domain)
    async with aclosing(reading) as batches:
        async for messages in batches:
            decoded = decode([message for message in messages if message.sequence <= last])
            position = min(messages[-1].sequence, last)
            await apply_all(writer, Batch(decoded.happenings, {stream.name: position}), pass_over)
            on_events(position - reached)
            reached = position
            if reached >= last:
                return
