"""Advisory locks of PostgreSQL: rights that a session holds for as long as it lives, and sessions that hold them."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

import asyncpg

_HOLDER = """
    SELECT a.pid, a.backend_start AS since, COALESCE(a.application_name, '') AS name
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.classid = $1::oid AND l.objid = $2::oid AND l.objsubid = 1 AND l.granted
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_END = f"SELECT pg_terminate_backend(h.pid) FROM ({_HOLDER}) h WHERE h.pid = $3 AND h.since = $4"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Session:
    """A session that holds a lock.

    Attributes:
        pid: Of the server's process, used again for later ones.
        since: When it began: tells it from those.
        name: What its client calls it.
    """

    pid: int
    since: datetime
    name: str


def lock_key(schema: str, holder: str = "projector") -> int:
    """The advisory lock that one holder of a kind takes for a schema; PostgreSQL keeps those of databases apart."""
    digest = hashlib.sha256(f"chasqui {holder} {schema}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


async def try_lock(connection: asyncpg.Connection, key: int) -> bool:
    """Whether the session has the lock now; another one may have it."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", key))


async def holder_of(connection: asyncpg.Connection, key: int) -> Session | None:
    """Who holds a lock; None if nobody does at this moment. Told in full to the holder's own role only."""
    found = await connection.fetchrow(_HOLDER, *_halves(key))
    return None if found is None else Session(**dict(found))


async def end_holder(connection: asyncpg.Connection, key: int, holder: Session) -> None:
    """End a session if it is still that one which holds the lock; what it had not committed is rolled back.

    It takes the holder's own role. The lock is free a moment later.
    """
    await connection.execute(_END, *_halves(key), holder.pid, holder.since)


def _halves(key: int) -> tuple[int, int]:
    """As pg_locks shows a key."""
    return key >> 32 & 0xFFFF_FFFF, key & 0xFFFF_FFFF
