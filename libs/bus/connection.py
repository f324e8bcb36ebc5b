"""How a process connects to its site's NATS server."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from nats.aio.client import Client
from nats.errors import Error as NatsError

from libs.bus.headers import QuickClient
from libs.errors import Retriable

RECONNECT_WAIT_S = 1


@dataclass(frozen=True, slots=True)
class BusAddress:
    """Where a site's NATS server is, and who we are there.

    Attributes:
        url: ``nats://host:port``.
        password: Never printed.
        domain: JetStream domain of the server; None for the server's own.
    """

    url: str
    user: str
    password: str = field(repr=False)
    domain: str | None = None


async def _ignore(_: Exception) -> None:
    """nats-py prints errors to standard error unless told otherwise; reconnects are not worth it."""


async def connect(
    address: BusAddress, *, name: str, on_error: Callable[[Exception], Awaitable[None]] = _ignore
) -> Client:
    """Open a connection which reconnects for ever.

    Raises:
        Retriable: ``bus_unavailable``: the server cannot be reached or refuses the password.
    """
    client = QuickClient()
    try:
        await client.connect(
            address.url,
            user=address.user,
            password=address.password,
            name=name,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_WAIT_S,
            allow_reconnect=True,
            connect_timeout=5,
            error_cb=on_error,
        )
    except (NatsError, OSError, TimeoutError) as error:
        raise unavailable(address.url, error) from error
    return client


@asynccontextmanager
async def connected(address: BusAddress, *, name: str) -> AsyncIterator[Client]:
    """A connection while the block lasts.

    Raises:
        Retriable: ``bus_unavailable``.
    """
    client = await connect(address, name=name)
    try:
        yield client
    finally:
        await client.close()


def unavailable(url: str, error: BaseException) -> Retriable:
    """The error for a NATS server that does not answer."""
    return Retriable(
        "bus_unavailable",
        f"NATS at {url} cannot be used: {error or type(error).__name__}",
        "Start the server or check its address and the CHASQUI_NATS_… password; it is tried again by itself.",
    )
