"""How far a stream is."""

from nats.aio.client import Client
from nats.errors import Error as NatsError

from libs.bus.connection import unavailable

TIMEOUT_S = 5.0


async def last_sequence(client: Client, stream: str) -> int:
    """The sequence of the last message of a stream, also of one that is deleted; 0 if it never had one.

    Raises:
        Retriable: ``bus_unavailable``.
    """
    try:
        info = await client.jetstream(timeout=TIMEOUT_S).stream_info(stream)
    except (NatsError, OSError, TimeoutError) as error:
        raise unavailable(str(client.connected_url), error) from error
    return int(info.state.last_seq)
