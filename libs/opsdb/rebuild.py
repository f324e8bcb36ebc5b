"""Proof that the ops-db equals the fold of the log: fold it again beside the live tables, and compare."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import asyncpg
from nats.aio.client import Client
from sqlalchemy import Enum, Table

from contracts.problems import Problem
from libs.bus.reading import read_batches
from libs.errors import UserError
from libs.opsdb.connecting import unavailable_as_retriable
from libs.opsdb.decoding import decode
from libs.opsdb.halving import apply_all
from libs.opsdb.migrating import migrate, quoted
from libs.opsdb.models import METADATA
from libs.opsdb.projection.applying import Batch, Happening
from libs.opsdb.writer import OpsDbWriter

_BATCH = 2000
_SAMPLES = 5


@dataclass(frozen=True, slots=True)
class LogStream:
    """A stream to fold.

    Attributes:
        domain: JetStream domain it is in; the client's own if None.
    """

    name: str
    domain: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A table that is not the same in two schemas.

    Attributes:
        only_in_first: Number of rows that the second schema has not (or not so).
        only_in_second: The other way round.
        samples: Some of these rows, with the schema they are in.
    """

    table: str
    only_in_first: int
    only_in_second: int
    samples: tuple[tuple[str, dict[str, Any]], ...]


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
            await _fold_stream(nc, writer, stream, last)
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


async def _fold_stream(nc: Client, writer: OpsDbWriter, stream: LogStream, last: int) -> None:
    if last == 0:
        return
    async with aclosing(read_batches(nc, stream.name, max_batch=_BATCH, domain=stream.domain)) as batches:
        async for messages in batches:
            wanted = [message for message in messages if message.sequence <= last]
            decoded = decode(wanted)
            position = min(messages[-1].sequence, last)
            await apply_all(writer, Batch(decoded.happenings, {stream.name: position}), _pass_over)
            if messages[-1].sequence >= last:
                return


async def _pass_over(_happening: Happening, _problem: Problem) -> None:
    """The live projector has told the dead letters of it."""


async def compare(dsn: str, first: str, second: str) -> list[Difference]:
    """Every table of two schemas, row by row.

    Raises:
        Retriable: ``opsdb_unavailable``.
    """
    with unavailable_as_retriable():
        connection = await asyncpg.connect(dsn)
        try:
            found = [await _compare(connection, t, first, second) for t in METADATA.sorted_tables]
        finally:
            await connection.close()
    return [difference for difference in found if difference.only_in_first or difference.only_in_second]


async def _compare(connection: asyncpg.Connection, table: Table, first: str, second: str) -> Difference:
    one, other = (_rows(table, schema) for schema in (first, second))
    missing = await connection.fetch(f"{one} EXCEPT ALL {other}")
    extra = await connection.fetch(f"{other} EXCEPT ALL {one}")
    samples = [(first, dict(row)) for row in missing[:_SAMPLES]]
    samples += [(second, dict(row)) for row in extra[:_SAMPLES]]
    return Difference(table.name, len(missing), len(extra), tuple(samples))


def _rows(table: Table, schema: str) -> str:
    # Each schema has its own enum types, so that their labels are compared.
    columns = ", ".join(f"{c.name}::text" if isinstance(c.type, Enum) else c.name for c in table.columns)
    return f"SELECT {columns} FROM {quoted(schema)}.{table.name}"  # noqa: S608 - names of our own models
