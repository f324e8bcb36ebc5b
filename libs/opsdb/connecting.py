"""Reaching PostgreSQL and naming things to it, and telling its absence as a fault that passes.

What readers need, too: it does without the tables' models, which are slow to import.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import asyncpg

from libs.errors import Retriable

Isolation = Literal["read_committed", "repeatable_read"]

AWAY: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InternalClientError,
)
"""What asyncpg raises when the server is away, is starting or stopping, or does not let us in.

InternalClientError: a session that the server ended while it was idle can leave the client's protocol in
the middle of a message; the next statement then fails so, before the loss of the connection is noticed.
"""

FAULTS: tuple[type[Exception], ...] = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""Everything that a conversation with PostgreSQL may raise."""


def unavailable(error: BaseException) -> Retriable:
    """The fault to tell for an error of `AWAY`."""
    return Retriable(
        "opsdb_unavailable",
        f"the ops-db cannot be reached: {error or type(error).__name__}",
        "Check that PostgreSQL runs, that its address, database and roles are those of the deployment file, "
        "and that the passwords in the environment are right; work goes on by itself once it is back.",
    )


def is_away(error: BaseException) -> bool:
    """Whether an error means that the connection or the server is gone."""
    if isinstance(error, AWAY):
        return True
    # asyncpg raises a plain InterfaceError for whatever is asked of a connection that was lost before.
    return isinstance(error, asyncpg.InterfaceError) and "clos" in str(error)


@contextmanager
def unavailable_as_retriable() -> Iterator[None]:
    """Turn whatever says that PostgreSQL is away into Retriable ``opsdb_unavailable``."""
    try:
        yield
    except FAULTS as error:
        if not is_away(error):
            raise
        raise unavailable(error) from error


def quoted(identifier: str) -> str:
    """An identifier as SQL wants it."""
    return '"' + identifier.replace('"', '""') + '"'


def applied_channel(schema: str) -> str:
    """Where each commit tells ``stream:sequence`` for the streams it moved on, one channel per schema."""
    return f"applied.{schema}"
