"""Key-value buckets: facts that may be lost (who is alive, how far a transfer is)."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import KeyNotFoundError, NoKeysError

from contracts.subjects import heartbeat_bucket, progress_bucket
from libs.bus.repeating import repeating
from libs.telemetry.logs import logger

BEAT_S = 5.0
Facts = dict[str, Any]


async def put_progress(client: Client, site: str, key: str, facts: Mapping[str, Any]) -> None:
    """Say how far a piece of work is; a lost message is no loss."""
    with suppress(NatsError, OSError, TimeoutError):
        bucket = await client.jetstream(timeout=2).key_value(progress_bucket(site))
        await bucket.put(key, json.dumps(facts, default=str).encode())


async def read_bucket(client: Client, bucket_name: str) -> dict[str, Facts]:
    """Every live key of a bucket, as JSON objects."""
    bucket = await client.jetstream(timeout=5).key_value(bucket_name)
    try:
        keys = await bucket.keys()
    except NoKeysError:
        return {}
    found: dict[str, Facts] = {}
    for key in keys:
        with suppress(KeyNotFoundError):
            found[key] = json.loads((await bucket.get(key)).value or b"{}")
    return found


@asynccontextmanager
async def heartbeat(client: Client, site: str, key: str, facts: Mapping[str, Any]) -> AsyncIterator[None]:
    """Say every few seconds that an instance is alive, while the block runs."""

    async def beat() -> None:
        try:
            bucket = await client.jetstream(timeout=2).key_value(heartbeat_bucket(site))
            await bucket.put(key, json.dumps(dict(facts), default=str).encode())
        except (NatsError, OSError, TimeoutError) as error:
            logger("bus").debug("heartbeat_missed", error=repr(error))

    try:
        async with repeating(beat, BEAT_S):
            yield
    finally:
        with suppress(NatsError, OSError, TimeoutError):
            bucket = await client.jetstream(timeout=2).key_value(heartbeat_bucket(site))
            await bucket.delete(key)
