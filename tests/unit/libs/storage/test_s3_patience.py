"""A server that falls silent is waited for, but not for ever, whatever it was about to do."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import structlog
from pydantic import SecretStr

from libs.errors import Retriable
from libs.storage.s3 import S3Store
from libs.storage.s3_proof import ProofMode
from libs.storage.s3_settings import MIB, S3Settings
from tests.support.listening import listening, silence

SILENCE_S = 0.4
LARGE = bytes(15 * MIB)


def settings(endpoint: str, *, attempts: int = 1) -> S3Settings:
    return S3Settings(
        endpoint=endpoint,
        bucket="archive",
        access_key="a",
        secret_key=SecretStr("s"),
        connect_seconds=SILENCE_S / 2,
        read_seconds=SILENCE_S / 2,
        attempts=attempts,
    )


async def unreachable(work: Awaitable[object]) -> None:
    """Await work that must fail as it does when nobody answers, and soon."""
    working = asyncio.ensure_future(work)
    await asyncio.wait([working], timeout=10 * SILENCE_S)
    assert working.done(), "it waits for ever"
    with pytest.raises(Retriable) as caught:
        await working
    assert caught.value.problem.code == "s3_unreachable"


async def upload(store: S3Store, folder: Path, content: bytes) -> object:
    path = folder / "package.tar"
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return await store.upload_file(path, "package.tar", size=len(content), expected_sha256=digest)


async def request_of(reader: asyncio.StreamReader) -> tuple[str, int]:
    """The method and the length of the body."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
    [length] = [line.split(":")[1] for line in lines if line.startswith("content-length:")] or ["0"]
    return lines[0].split()[0], int(length)


def answering(
    put: Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]],
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """A server that has no object, and does as `put` says with one that is sent."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            method, length = await request_of(reader)
            if method == "put":
                await put(reader, writer, length)
            else:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    return converse


OPERATIONS: dict[str, Callable[[S3Store], Awaitable[object]]] = {
    "put_json": lambda store: store.put_json("k", {"a": 1}),
    "get_json": lambda store: store.get_json("k"),
    "head": lambda store: store.head("k"),
    "prove": lambda store: store.prove("k", size=1, sha256="", mode=ProofMode.BYTES),
    "delete": lambda store: store.delete("k"),
    "check_bucket": lambda store: store.check_bucket(),
    "ensure_bucket": lambda store: store.ensure_bucket(),
    "list": lambda store: store.list("k").__anext__(),
}


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_server_that_never_answers(name: str) -> None:
    async with listening(silence) as endpoint, S3Store(settings(endpoint)) as store:
        await unreachable(OPERATIONS[name](store))


@pytest.mark.parametrize("content", [b"", bytes(9000), LARGE], ids=["empty", "small", "large"])
async def test_a_server_that_never_asks_for_the_body(content: bytes, tmp_path: Path) -> None:
    """The client waits for "100 Continue" before it sends one."""

    async def put(*_: object) -> None:
        await asyncio.sleep(3600)

    async with listening(answering(put)) as endpoint, S3Store(settings(endpoint)) as store:
        await unreachable(upload(store, tmp_path, content))


async def test_a_server_that_stops_reading(tmp_path: Path) -> None:
    async def put(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _length: int) -> None:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await reader.readexactly(100_000)
        await asyncio.sleep(3600)

    async with listening(answering(put)) as endpoint, S3Store(settings(endpoint)) as store:
        await unreachable(upload(store, tmp_path, LARGE))


BEGUN = (
    b'HTTP/1.1 206 OK\r\nContent-Length: 100000\r\nETag: "e"\r\n'
    b"Last-Modified: Sun, 01 Mar 2026 00:00:00 GMT\r\n\r\n"
)


async def test_a_server_that_stops_in_the_middle_of_its_answer() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(BEGUN + b"1234")
        await asyncio.sleep(3600)

    async with listening(half) as endpoint, S3Store(settings(endpoint)) as store:
        await unreachable(store.get_json("k"))


async def test_no_connection_becomes_free() -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(BEGUN)
        while True:
            writer.write(b"1")
            await asyncio.sleep(SILENCE_S / 8)

    async with listening(trickle) as endpoint:
        single = settings(endpoint).model_copy(update={"connections": 1})
        async with S3Store(single) as store, store.open_stream("k"):
            await unreachable(store.head("other"))


async def test_a_slow_server_is_given_its_time(tmp_path: Path) -> None:
    """The whole takes longer than any silence may: what counts is that something moves."""

    async def put(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, length: int) -> None:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        for _ in range(length // MIB):
            await reader.readexactly(MIB)
            await asyncio.sleep(0.75 * SILENCE_S)
        writer.write(b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n\r\n')

    began = time.monotonic()
    async with listening(answering(put)) as endpoint:
        # What the kernel holds back of the body counts as the silence before the answer.
        slow = settings(endpoint).model_copy(update={"read_seconds": 5 * SILENCE_S})
        async with S3Store(slow) as store:
            await upload(store, tmp_path, LARGE)
    assert time.monotonic() - began > 10 * SILENCE_S


async def test_each_failed_attempt_but_the_last_is_told() -> None:
    async with listening(silence) as endpoint, S3Store(settings(endpoint, attempts=3)) as store:
        with structlog.testing.capture_logs() as told, pytest.raises(Retriable):
            await store.head("k")
    assert [(line["event"], line["code"], line["attempt"], line["of"]) for line in told] == [
        ("s3_attempt_failed", "s3_unreachable", 1, 3),
        ("s3_attempt_failed", "s3_unreachable", 2, 3),
    ]
    assert all(line["endpoint"] == endpoint and line["operation"] == "HeadObject" for line in told)


async def test_a_server_that_is_busy_is_told() -> None:
    async def busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request_of(reader)
            writer.write(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n")

    async with listening(busy) as endpoint, S3Store(settings(endpoint, attempts=2)) as store:
        with structlog.testing.capture_logs() as told, pytest.raises(Retriable) as caught:
            await store.head("k")
    assert caught.value.problem.code == "s3_busy"
    assert [(line["code"], line["reason"]) for line in told] == [("s3_busy", "HTTP 503")]
