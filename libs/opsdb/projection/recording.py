"""The records of events, by which a repeat is known for a repeat."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from uuid import UUID

import asyncpg

from libs.opsdb.projection.happening import Happening, Position
from libs.opsdb.projection.shapes import Record
from libs.opsdb.projection.writing import MANY, copy

_COLUMNS = ("stream", "sequence", "event_id", "type", "about", "site", "service", "time", "causation_id")

_KNOWN = "SELECT event_id FROM event_record WHERE stream = $1 AND event_id = ANY($2::uuid[])"

_INSERT = """
    INSERT INTO event_record (stream, sequence, event_id, type, about, site, service, time, causation_id)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::text[],
                         $7::text[], $8::timestamptz[], $9::text[])
    ON CONFLICT DO NOTHING
    RETURNING stream, sequence
"""


async def record(connection: asyncpg.Connection, happenings: Sequence[Happening]) -> frozenset[Position]:
    """Make the events' records, within an open transaction; nobody else makes any.

    Returns:
        The repeats: events whose id has a record already, in these happenings or before. They get none.

    Raises:
        asyncpg.PostgresError: One of `UNFOLDABLE` if a value cannot be stored; others as they come.
    """
    if len(happenings) >= MANY:
        return await _copy(connection, happenings)
    return await _insert(connection, happenings) if happenings else frozenset()


async def _insert(connection: asyncpg.Connection, happenings: Sequence[Happening]) -> frozenset[Position]:
    """In one round trip."""
    records = [_record(happening) for happening in happenings]
    rows = await connection.fetch(_INSERT, *zip(*records, strict=True))
    return frozenset((h.stream, h.sequence) for h in happenings).difference(tuple(row) for row in rows)


async def _copy(connection: asyncpg.Connection, happenings: Sequence[Happening]) -> frozenset[Position]:
    """As `libs.opsdb.projection.writing` does it."""
    repeats: set[Position] = set()
    records: list[Record] = []
    for stream, some in groupby(sorted(happenings, key=attrgetter("stream")), attrgetter("stream")):
        told = list(some)
        rows = await connection.fetch(_KNOWN, stream, [h.envelope.id for h in told])
        firsts: dict[UUID, int] = dict.fromkeys((row["event_id"] for row in rows), 0)
        for happening in told:
            if firsts.setdefault(happening.envelope.id, happening.sequence) == happening.sequence:
                records.append(_record(happening))
            else:
                repeats.add((stream, happening.sequence))
    if records:
        await copy(connection, "event_record", _COLUMNS, records)
    return frozenset(repeats)


def _record(happening: Happening) -> Record:
    stream, sequence, told, _ = happening
    return (
        *(stream, sequence, told.id, told.type, told.about),
        *(told.site, told.service, told.time, told.causation_id),
    )
