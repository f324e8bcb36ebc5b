"""Tables that came with a migration, and lack what events say that were folded before there were any.

The step that makes such tables leaves a word on `stream_position` of an ops-db that is not empty. It goes with the
tables when a rebuild exchanges them, in the same transaction; tables that a rebuild makes are empty, and never have it.
"""

from collections.abc import Sequence

import asyncpg

from libs.bus.connection import BusAddress
from libs.opsdb.connecting import quoted, unavailable_as_retriable
from libs.opsdb.rebuild import LogStream
from libs.opsdb.upkeep.progress import Tell, in_silence
from libs.opsdb.upkeep.replacing import Replaced, replace

WORD = "the tables lack what older events say: rebuild"


async def lacks_older_events(dsn: str, *, schema: str = "public") -> bool:
    """Whether the tables are not what their log makes of them, because some are younger.

    Raises:
        Retriable: ``opsdb_unavailable``.
    """
    with unavailable_as_retriable():
        connection = await asyncpg.connect(dsn)
        try:
            said = await connection.fetchval(_SAID, f"{quoted(schema)}.stream_position")
        finally:
            await connection.close()
    return bool(said == WORD)


_SAID = "SELECT obj_description(to_regclass($1), 'pg_class')"


async def complete(
    bus: BusAddress,
    dsn: str,
    streams: Sequence[LogStream],
    *,
    reader: str | None = None,
    tell: Tell = in_silence,
) -> Replaced | None:
    """Fold the log anew if the tables lack something; they go on as they are if that cannot be done.

    Returns:
        What was done; None if nothing had to be.

    Raises:
        ChasquiError: As `replace` does: the tables are as they were, and the word stands.
    """
    if not await lacks_older_events(dsn):
        return None
    return await replace(bus, dsn, streams, reader=reader, tell=tell)
