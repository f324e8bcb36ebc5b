"""Dead letters of long ago, in tests that cannot wait for so long."""

import asyncio
from dataclasses import replace

from nats.aio.client import Client

from contracts.subjects import dead_stream, events_stream

_WINDOW_S = 0.1
"""The shortest time for which a server remembers message ids."""


async def forgetful(client: Client, site: str) -> None:
    """Let the server forget the ids of a site's letters and events almost at once, as it does after ten minutes."""
    js = client.jetstream()
    for stream in (dead_stream(site), events_stream(site)):
        config = (await js.stream_info(stream)).config
        await js.update_stream(replace(config, duplicate_window=_WINDOW_S))


async def forgotten() -> None:
    """Let the time go by."""
    await asyncio.sleep(3 * _WINDOW_S)
