"""The one transaction in which a batch of events takes effect."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

import asyncpg

from libs.opsdb.projection.coalescing import coalesce
from libs.opsdb.projection.folding import fold
from libs.opsdb.projection.happening import Happening, Position
from libs.opsdb.projection.reconciling import Conclusions, conclusions
from libs.opsdb.projection.recording import record
from libs.opsdb.projection.statements import Statement
from libs.opsdb.projection.tables import WRITE_ORDER
from libs.opsdb.projection.writing import Writing, write, writing_of

__all__ = ["UNFOLDABLE", "Applied", "Batch", "Happening", "Position", "apply", "positions"]

UNFOLDABLE: tuple[type[Exception], ...] = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)
"""What PostgreSQL (or its client) says of values that it cannot store: a NUL in a text, 2^63 bytes, ..."""


@dataclass(frozen=True)
class Batch:
    """Events to apply together.

    Attributes:
        happenings: In the order of each stream; streams interleave as they like.
        positions: The last sequence of each stream that this batch covers, unreadable messages included.
    """

    happenings: Sequence[Happening]
    positions: Mapping[str, int]

    @cached_property
    def effect(self) -> "Effect":
        """What it comes to if none of its events is a repeat: asked for early, it is ready when its turn comes."""
        return effect_of(self.happenings)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch came to.

    Attributes:
        events: How many events there were.
        repeats: How many of them were repeats of earlier ones.
        rows: How many rows were written.
    """

    events: int
    repeats: int
    rows: int


class Effect(NamedTuple):
    """Everything to write for a batch, in order."""

    writings: list[Writing]
    conclusions: list[Statement]

    @property
    def rows(self) -> int:
        """How many rows are written at most, conclusions apart."""
        return sum(writing.rows for writing in self.writings)


async def positions(connection: asyncpg.Connection) -> dict[str, int]:
    """The last applied sequence of each stream."""
    return {r["stream"]: r["sequence"] for r in await connection.fetch("SELECT * FROM stream_position")}


def effect_of(happenings: Iterable[Happening]) -> Effect:
    """What is to be written for these events. Pure."""
    coalesced = coalesce(change for h in happenings for change in fold(h.envelope, h.event))
    writings = [
        writing_of(table, wave)
        for table in WRITE_ORDER
        if table in coalesced
        for wave in coalesced[table].waves
    ]
    return Effect(writings, conclusions(coalesced))


async def apply(
    connection: asyncpg.Connection, batch: Batch, drawing: Conclusions = Conclusions.AT_ONCE
) -> Applied:
    """Fold a batch into the tables, record its events, move the positions on, and tell the waiting.

    What was applied already is left out, so handing over the same batch twice does nothing the second time.

    Args:
        connection: The projector's own; its `search_path` names the schema.
        batch: Whatever has come since the last one.
        drawing: When the conclusions from what is written are drawn.

    Raises:
        asyncpg.PostgresError: One of `UNFOLDABLE` if a value cannot be stored; others as they come. Nothing
            of the batch is then applied.
    """
    effect = batch.effect
    async with connection.transaction():
        known = await _known_positions(connection, batch)
        happenings = [h for h in batch.happenings if h.sequence > known.get(h.stream, 0)]
        repeats = await record(connection, happenings)
        if repeats or len(happenings) < len(batch.happenings):
            effect = effect_of(h for h in happenings if (h.stream, h.sequence) not in repeats)
        for writing in effect.writings:
            await write(connection, writing)
        if drawing is Conclusions.AT_ONCE:
            for sql, arguments in effect.conclusions:
                await connection.execute(sql, *arguments)
        await _move_on(connection, batch, known)
    return Applied(len(happenings), len(repeats), effect.rows)


async def _known_positions(connection: asyncpg.Connection, batch: Batch) -> dict[str, int]:
    rows = await connection.fetch(
        "SELECT stream, sequence FROM stream_position WHERE stream = ANY($1::text[])", list(batch.positions)
    )
    return {row["stream"]: row["sequence"] for row in rows}


_MOVE_ON = """
    WITH moved AS (
        INSERT INTO stream_position AS p (stream, sequence, event_time)
        SELECT * FROM unnest($1::text[], $2::bigint[], $3::timestamptz[])
        ON CONFLICT (stream) DO UPDATE
        SET sequence = EXCLUDED.sequence, event_time = COALESCE(EXCLUDED.event_time, p.event_time)
        RETURNING stream, sequence
    )
    SELECT pg_notify('applied.' || current_schema(), stream || ':' || sequence) FROM moved
"""


async def _move_on(connection: asyncpg.Connection, batch: Batch, known: Mapping[str, int]) -> None:
    ahead = {stream: n for stream, n in batch.positions.items() if n > known.get(stream, 0)}
    times: dict[str, datetime] = {h.stream: h.envelope.time for h in batch.happenings}
    await connection.execute(
        _MOVE_ON,
        list(ahead),
        list(ahead.values()),
        [times.get(stream) for stream in ahead],
    )
