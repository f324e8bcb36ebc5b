"""An object as a stream that goes on after a broken connection, at the byte where it broke."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from libs.bus.pulse import beat
from libs.errors import Permanent, Retriable
from libs.storage.s3_errors import (
    CONNECTION_ERRORS,
    is_broken,
    is_missing,
    is_precondition,
    translated,
    unreachable,
)
from libs.storage.s3_objects import ObjectFacts, facts_from
from libs.storage.s3_settings import S3Settings
from libs.telemetry.logs import logger

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

READ_SIZE = 1 << 20
"""Bytes asked for at a time; what the socket has is taken at once, usually 64 to 128 KiB."""

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0

log = logger("s3")


class ObjectStream:
    """The bytes of one object, once, in order.

    Attributes:
        facts: What the server said when the stream was opened.
        resumed: How often the connection broke and the stream went on.
    """

    def __init__(self, client: "S3Client", settings: S3Settings, key: str, first: Any) -> None:  # noqa: ANN401
        self.facts: ObjectFacts = facts_from(key, first)
        self.resumed = 0
        self._client = client
        self._settings = settings
        self._body: Any = first["Body"]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield blocks of bytes until the whole object was seen.

        Raises:
            Retriable: `s3_unreachable` after several breaks without a byte between them, or
                `object_changed` when the object was replaced meanwhile.
            Permanent: `object_broken`.
        """
        done = failures = 0
        while done < self.facts.size:
            try:
                async with aclosing(self._attempt(done)) as blocks:
                    async for block in blocks:
                        beat()
                        done += len(block)
                        failures = 0
                        yield block
                raise EOFError("the answer ended early")  # noqa: TRY301 - a short answer is a broken one
            except (*CONNECTION_ERRORS, EOFError) as error:
                if done == self.facts.size:
                    return
                failures += 1
                await self._before_retry(error, failures)

    async def _before_retry(self, error: Exception, failures: int) -> None:
        self.close()
        if failures >= self._settings.attempts:
            raise unreachable(f"download {self.facts.key!r} at {self._settings.endpoint}", error) from error
        self.resumed += 1
        beat()  # a broken connection is no standstill, and the tries are counted
        log.warning(
            "s3_download_resumed",
            code="s3_unreachable",
            endpoint=self._settings.endpoint,
            key=self.facts.key,
            attempt=failures,
            reason=f"{type(error).__name__}: {error}",
        )
        await asyncio.sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (failures - 1)))

    async def _attempt(self, done: int) -> AsyncGenerator[bytes, None]:
        body = self._body or await self._reopen(done)
        while block := await body.read(READ_SIZE):
            yield block

    async def _reopen(self, done: int) -> Any:  # noqa: ANN401 - the body's type is not public
        key = self.facts.key
        try:
            answer = await self._client.get_object(
                Bucket=self._settings.bucket, Key=key, Range=f"bytes={done}-", IfMatch=self.facts.etag
            )
        except ClientError as error:
            if is_broken(error):
                raise object_broken(self._settings, key) from error
            if is_precondition(error) or is_missing(error):
                raise Retriable(
                    "object_changed",
                    f"{key!r} was replaced while it was read",
                    "Read it again from its start.",
                ) from error
            with translated(self._settings, f"download {key!r}"):
                raise
        self._body = answer["Body"]
        return self._body

    def close(self) -> None:
        """Drop the connection, so that the rest of the object is not fetched."""
        if self._body is not None:
            self._body.close()
            self._body = None


@asynccontextmanager
async def opened(client: "S3Client", settings: S3Settings, key: str) -> AsyncIterator[ObjectStream]:
    """Ask for an object and hold the stream open.

    Raises:
        Permanent: `object_missing`, or `object_broken` when the server has lost a part of it.
        Retriable: As `libs.storage.s3_errors.translated`.
    """
    with translated(settings, f"download {key!r}"):
        try:
            first = await client.get_object(Bucket=settings.bucket, Key=key)
        except ClientError as error:
            if is_missing(error):
                raise object_missing(settings, key) from error
            if is_broken(error):
                raise object_broken(settings, key) from error
            raise
    stream = ObjectStream(client, settings, key, first)
    try:
        yield stream
    finally:
        stream.close()


async def batches(stream: ObjectStream, size: int = READ_SIZE) -> AsyncIterator[list[bytes]]:
    """Gather small blocks into lists of at least `size` bytes, so that a thread hop pays off."""
    held: list[bytes] = []
    count = 0
    async for block in stream:
        held.append(block)
        count += len(block)
        if count >= size:
            yield held
            held, count = [], 0
    if held:
        yield held


async def drain(stream: ObjectStream, sink: Callable[[list[bytes]], object], size: int = READ_SIZE) -> None:
    """Read a stream to its end into a blocking sink, which works in a thread while the next batch arrives."""
    working: asyncio.Future[object] | None = None
    try:
        async for batch in batches(stream, size):
            if working is not None:
                await working
            working = asyncio.ensure_future(asyncio.to_thread(sink, batch))
    finally:
        if working is not None:
            await working


class Digest:
    """A sink that keeps nothing but the SHA-256 (`hexdigest`) and the number of bytes (`size`)."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self.size = 0

    def __call__(self, blocks: list[bytes]) -> None:
        """Take blocks in; blocking."""
        for block in blocks:
            self._sha.update(block)
            self.size += len(block)

    @property
    def hexdigest(self) -> str:
        """SHA-256 of what was taken in."""
        return self._sha.hexdigest()


def object_missing(settings: S3Settings, key: str) -> Permanent:
    """The error of a key that is not in the bucket."""
    return Permanent(
        "object_missing",
        f"{key!r} is not in bucket {settings.bucket!r}",
        "Look for another copy; scrub this one.",
    )


def object_broken(settings: S3Settings, key: str) -> Permanent:
    """The error of an object of which the server says itself that it is no longer whole."""
    return Permanent(
        "object_broken",
        f"the server says that a part of {key!r} in bucket {settings.bucket!r} is lost or damaged",
        "Look for another copy; scrub this one.",
    )
