"""Work in hand, as its workers tell it: the newest figures of what has not ended."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import KeyNotFoundError

from contracts.subjects import progress_bucket
from libs.bus.buckets import Facts
from libs.bus.connection import unavailable

SILENT = timedelta(minutes=2)
"""A worker that was silent for so long does not work on it any more: it was killed."""

API_TIMEOUT_S = 5.0
MOST_ENTRIES = 1000


async def work_in_hand(client: Client, site: str) -> dict[str, Facts]:
    """What is being worked on at a site, by key; what ended long ago is not even read.

    Raises:
        Retriable: ``bus_unavailable``.
    """
    js = client.jetstream(timeout=API_TIMEOUT_S)
    try:
        async with asyncio.timeout(API_TIMEOUT_S):
            messages = await _told_since(js, progress_bucket(site), datetime.now(UTC) - SILENT)
    except (NatsError, OSError, TimeoutError) as error:
        raise unavailable(str(client.connected_url), error) from error
    prefix = f"$KV.{progress_bucket(site)}."
    told = {m.subject.removeprefix(prefix): figures_of(m.data) for m in messages}
    return {key: facts for key, facts in sorted(told.items()) if facts and not facts.get("ended")}


async def progress_of(client: Client, site: str, key: str) -> Facts | None:
    """What was last told about one piece of work, ended or not; None if nothing was.

    Raises:
        Retriable: ``bus_unavailable``.
    """
    try:
        bucket = await client.jetstream(timeout=API_TIMEOUT_S).key_value(progress_bucket(site))
        entry = await bucket.get(key)
    except KeyNotFoundError:
        return None
    except (NatsError, OSError, TimeoutError) as error:
        raise unavailable(str(client.connected_url), error) from error
    return figures_of(entry.value) or None


def figures_of(value: bytes | None) -> Facts:
    """The figures in an entry; none if it holds no JSON object: progress is never worth an error."""
    try:
        told: Any = json.loads(value or b"{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


async def _told_since(js: JetStreamContext, bucket: str, since: datetime) -> list[Msg]:
    """The newest message of every key that was written since then; the bucket keeps one a key."""
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_TIME,
        opt_start_time=since,
    )
    subscription = await js.subscribe(
        f"$KV.{bucket}.>", stream=f"KV_{bucket}", ordered_consumer=True, config=config
    )
    try:
        messages: list[Msg] = []
        pending = (await subscription.consumer_info()).num_pending or 0
        waiting = pending + subscription.pending_msgs
        while waiting and len(messages) < MOST_ENTRIES:
            messages.append(await subscription.next_msg(timeout=API_TIMEOUT_S))
            waiting = messages[-1].metadata.num_pending
        return messages
    finally:
        await subscription.unsubscribe()
