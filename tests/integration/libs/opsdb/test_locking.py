"""Sessions that hold a lock, and others that end them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from libs.opsdb.connecting import FAULTS
from libs.opsdb.locking import end_holder, holder_of, lock_key, try_lock
from tests.integration.libs.opsdb.conftest import Database

pytestmark = pytest.mark.integration

KEYS = [lock_key("public"), lock_key("public", "upkeep"), -1, 0, 1 << 62]


@asynccontextmanager
async def session(database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.writer)
    try:
        yield connection
    finally:
        connection.terminate()


async def test_a_session_is_ended_only_while_it_is_the_holder(empty: Database) -> None:
    async with session(empty) as first, session(empty) as second, session(empty) as third:
        key = lock_key("public")
        assert await holder_of(third, key) is None
        assert await try_lock(first, key)
        seen = await holder_of(third, key)
        assert seen is not None
        assert seen.pid == first.get_server_pid()
        assert await try_lock(first, lock_key("public", "upkeep"))
        await first.execute("SELECT pg_advisory_unlock($1)", key)
        assert await try_lock(second, key)
        await end_holder(third, key, seen)
        assert await first.fetchval("SELECT 1") == 1, "it holds another lock, not this one"
        assert await second.fetchval("SELECT 1") == 1, "it is not the session that was seen"
        holder = await holder_of(third, key)
        assert holder is not None
        await end_holder(third, key, holder)
        with pytest.raises(FAULTS):
            await second.fetchval("SELECT 1")


async def test_any_key_is_found_again(empty: Database) -> None:
    async with session(empty) as one:
        for key in KEYS:
            assert await try_lock(one, key)
            found = await holder_of(one, key)
            assert found is not None
            assert found.pid == one.get_server_pid()
