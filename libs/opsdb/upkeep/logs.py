"""Whether the log is there from the first event to where the tables are."""

import asyncio
import time
from collections.abc import Mapping, Sequence

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import StreamState
from nats.js.errors import NotFoundError

from libs.bus.connection import unavailable
from libs.errors import Permanent, Retriable
from libs.opsdb.rebuild import LogStream

_RESTART_S = 60.0
_AGAIN_S = 0.5


async def require_whole(nc: Client, streams: Sequence[LogStream], upto: Mapping[str, int]) -> None:
    """Look at every stream that the tables contain something of.

    Args:
        nc: A client of the server that has the streams.
        streams: Those that are known here.
        upto: By stream, the last sequence that must be there.

    Raises:
        Permanent: ``log_unknown``: no stream of that name is known or there; ``log_incomplete``: something of it
            was removed.
        Retriable: ``log_behind``: it does not reach so far (yet); ``bus_unavailable``.
    """
    known = {stream.name: stream for stream in streams}
    for name, last in upto.items():
        if last == 0:
            continue
        state = await state_of(nc, known[name]) if name in known else None
        if state is None:
            raise Permanent(
                "log_unknown",
                f"the ops-db contains events of {name}, and there is no such stream here",
                "Provision the site again with every site in its deployment, or restore the stream first.",
            )
        _require(name, last, state)


async def state_of(nc: Client, stream: LogStream) -> StreamState | None:
    """What the server knows of a stream; None if it is not there. A server that restarts is waited for.

    Raises:
        Retriable: ``bus_unavailable``.
    """
    js = nc.jetstream(domain=stream.domain) if stream.domain else nc.jetstream()
    deadline = time.monotonic() + _RESTART_S
    while True:
        try:
            return (await js.stream_info(stream.name)).state
        except NotFoundError:
            return None
        except (NatsError, TimeoutError) as error:
            if nc.is_closed or time.monotonic() > deadline:
                raise unavailable(str(nc.connected_url), error) from error
        await asyncio.sleep(_AGAIN_S)


def _require(name: str, last: int, state: StreamState) -> None:
    if state.last_seq < last:
        raise Retriable(
            "log_behind",
            f"the ops-db contains {name} up to {last}, the stream here ends at {state.last_seq}",
            "Wait until its mirror has caught up (chasqui status); if it is the site's own, restore it.",
        )
    if state.first_seq > 1 or state.num_deleted:
        missing = state.first_seq - 1 + (state.num_deleted or 0)
        raise Permanent(
            "log_incomplete",
            f"{missing} messages of {name} were removed; it begins at {state.first_seq}",
            "Restore the stream; what is folded from a part of the log is not the ops-db.",
        )
