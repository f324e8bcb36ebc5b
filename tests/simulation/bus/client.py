"""What a process sees of its site's server: stands in for the NATS client; the code above it is the real one."""

import asyncio
import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeout
from nats.js.api import PubAck, RawStreamMsg
from nats.js.errors import (
    APIError,
    BadRequestError,
    KeyNotFoundError,
    KeyWrongLastSequenceError,
    NoKeysError,
    NotFoundError,
)

from libs.bus.publishing import WRONG_LAST_SEQUENCE
from libs.bus.stored import StoredMessage
from tests.simulation.bus.buckets import Bucket
from tests.simulation.bus.server import Server
from tests.simulation.bus.streams import Answer, Stream
from tests.simulation.chaos import Fault
from tests.simulation.world import World

NO_MESSAGE = 10037
NO_CONSUMER = 10014
NOT_DELETED = 10057
TIMEOUT_S = 5.0


class SimulatedClient:
    """A connection of one process.

    Args:
        world: The world.
        site: Whose server it is connected to.
    """

    max_payload = 1 << 20
    is_closed = False

    def __init__(self, world: World, site: str) -> None:
        self._world = world
        self._site = site
        self.connected_url = f"nats://{site}"
        self.stats = {"reconnects": 0}

    @property
    def server(self) -> Server:
        """The site's server."""
        return self._world.servers[self._site]

    @property
    def is_connected(self) -> bool:
        """Whether the server is there."""
        return self.server.up

    def jetstream(self, **_: Any) -> "SimulatedJetStream":
        """As `Client.jetstream`."""
        return SimulatedJetStream(self)

    async def request(
        self,
        subject: str,
        data: bytes = b"",
        timeout: float = TIMEOUT_S,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """As `Client.request` to a stream."""
        answer = await self.store(subject, data, dict(headers or {}), timeout)
        return SimpleNamespace(data=json.dumps(answer).encode())

    async def store(self, subject: str, data: bytes, headers: dict[str, str], timeout: float) -> Answer:
        """Have a stream store a message, and wait for its answer.

        Raises:
            nats.errors.TimeoutError: None came: it may be stored, or not.
            nats.errors.NoRespondersError: No stream takes the subject.
        """
        await self.asked(f"publish {subject}", timeout)
        stream = self.server.stream_of(subject)
        if stream is None:
            raise NoRespondersError
        answer = self._world.store(self.server, stream, subject, data, headers)
        await self.answered(f"publish {subject}", timeout)
        return answer

    def taken_away(self, stream: Stream, sequence: int) -> None:
        """A message was deleted."""
        self._world.tell(
            "take away", stream.name, sequence, what=(self.server, stream.messages[sequence - 1])
        )

    async def asked(self, what: str, timeout: float = TIMEOUT_S) -> None:
        """A request has reached the server."""
        await self._world.trip(f"{what} at {self._site}")
        if not self.server.up:
            await self.silence(timeout)

    async def answered(self, what: str, timeout: float = TIMEOUT_S) -> None:
        """Its answer has reached the process."""
        await self._world.arrived(f"{what} at {self._site}")
        if not self.server.up or self._world.strikes(Fault.LOST_REPLIES, f"{what} at {self._site}"):
            await self.silence(timeout)

    async def silence(self, timeout: float) -> None:
        """Wait in vain."""
        await asyncio.sleep(timeout)
        raise NatsTimeout


class SimulatedJetStream:
    """Stands in for `JetStreamContext`."""

    def __init__(self, client: SimulatedClient) -> None:
        self._client = client

    async def get_last_msg(self, stream_name: str, subject: str) -> RawStreamMsg:
        """As `JetStreamContext.get_last_msg`."""
        await self._client.asked(f"look for the last {subject}")
        return _raw(self._stream(stream_name).find_last(subject))

    async def get_msg(
        self, stream_name: str, seq: int | None = None, subject: str | None = None, **_: Any
    ) -> RawStreamMsg:
        """As `JetStreamContext.get_msg`: from a sequence on, with a subject; or the last one of a subject."""
        await self._client.asked(f"look for {subject or 'a message'} from {seq or 'the end'} on")
        stream = self._stream(stream_name)
        if seq is None:
            return _raw(stream.find_last(str(subject)))
        return _raw(stream.find_next(seq, subject or ">"))

    async def stream_info(self, name: str) -> Any:
        """As `JetStreamContext.stream_info`."""
        await self._client.asked(f"look at {name}")
        return SimpleNamespace(state=SimpleNamespace(last_seq=self._stream(name).last_sequence))

    async def publish(
        self,
        subject: str,
        payload: bytes = b"",
        stream: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> PubAck:
        """As `JetStreamContext.publish`."""
        answer: dict[str, Any] = await self._client.store(subject, payload, headers or {}, TIMEOUT_S)
        if "error" in answer:
            raise APIError.from_error(answer["error"])
        return PubAck(
            stream=str(stream), seq=int(str(answer["seq"])), duplicate=bool(answer.get("duplicate"))
        )

    async def delete_msg(self, stream_name: str, seq: int) -> bool:
        """As `JetStreamContext.delete_msg`."""
        await self._client.asked(f"delete {stream_name}:{seq}")
        stream = self._stream(stream_name)
        if not stream.delete(seq):
            raise APIError(code=400, err_code=NOT_DELETED, description="no message found")
        self._client.taken_away(stream, seq)
        await self._client.answered(f"delete {stream_name}:{seq}")
        return True

    async def purge_stream(self, name: str, subject: str | None = None, keep: int | None = None) -> bool:
        """As `JetStreamContext.purge_stream`, of one subject."""
        await self._client.asked(f"purge {subject} of {name}")
        self._stream(name).purge(str(subject), keep or 0)
        await self._client.answered(f"purge {subject} of {name}")
        return True

    async def consumer_info(self, stream: str, consumer: str) -> Any:
        """As `JetStreamContext.consumer_info`, of which nobody reads more than that it is there."""
        await self._client.asked(f"look at {consumer}")
        found = self._client.server.consumers.get((stream, consumer))
        if found is None:
            raise NotFoundError(code=404, err_code=NO_CONSUMER, description="consumer not found")
        return SimpleNamespace(name=consumer)

    async def key_value(self, bucket: str) -> "SimulatedKeyValue":
        """As `JetStreamContext.key_value`."""
        return SimulatedKeyValue(self._client, bucket)

    def _stream(self, name: str) -> Stream:
        return self._client.server.streams[name]


class SimulatedKeyValue:
    """Stands in for `KeyValue`."""

    def __init__(self, client: SimulatedClient, name: str) -> None:
        self._client = client
        self._name = name

    @property
    def _bucket(self) -> Bucket:
        return self._client.server.bucket(self._name)

    async def get(self, key: str, **_: Any) -> Any:
        """As `KeyValue.get`."""
        await self._client.asked(f"get {key}")
        found = self._bucket.get(key)
        if found is None:
            deleted = self._bucket.newest(key)
            raise KeyNotFoundError(entry=SimpleNamespace(revision=deleted) if deleted else None)
        return SimpleNamespace(key=key, value=found.data, revision=found.revision)

    async def put(self, key: str, value: bytes, **_: Any) -> int:
        """As `KeyValue.put`."""
        await self._client.asked(f"put {key}")
        revision = self._bucket.put(key, value)
        await self._client.answered(f"put {key}")
        return revision

    async def create(self, key: str, value: bytes, msg_ttl: float | None = None, **_: Any) -> int:
        """As `KeyValue.create`."""
        live = self._bucket.get(key)
        return await self.update(key, value, 0 if live else self._bucket.newest(key), msg_ttl)

    async def update(
        self, key: str, value: bytes, last: int | None = None, msg_ttl: float | None = None, **_: Any
    ) -> int:
        """As `KeyValue.update`."""
        await self._client.asked(f"update {key}")
        revision = self._bucket.update(key, value, last or 0, msg_ttl)
        if revision is None:
            raise KeyWrongLastSequenceError(description="wrong last sequence")
        await self._client.answered(f"update {key}")
        return revision

    async def delete(self, key: str, last: int | None = None, **_: Any) -> bool:
        """As `KeyValue.delete`."""
        await self._client.asked(f"delete {key}")
        if last and self._bucket.newest(key) != last:
            raise BadRequestError(code=400, err_code=WRONG_LAST_SEQUENCE, description="wrong last sequence")
        self._bucket.put(key, None)
        await self._client.answered(f"delete {key}")
        return True

    async def keys(self, **_: Any) -> list[str]:
        """As `KeyValue.keys`."""
        await self._client.asked(f"list {self._name}")
        if not (found := self._bucket.keys()):
            raise NoKeysError
        return found


def _raw(found: StoredMessage | None) -> RawStreamMsg:
    if found is None:
        raise NotFoundError(code=404, err_code=NO_MESSAGE, description="no message found")
    return RawStreamMsg(
        subject=found.subject, seq=found.sequence, data=found.data, headers=dict(found.headers)
    )
