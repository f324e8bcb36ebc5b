"""Servers that end without being asked to are started again where they were."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import asyncpg
import httpx
import pytest

from libs.bus.connection import BusAddress, connect
from libs.embedded.keeping import kept_running
from libs.embedded.nats import EmbeddedNats
from libs.embedded.ports import listening_socket
from libs.embedded.postgres import EmbeddedPostgres
from libs.embedded.s3 import EmbeddedS3
from libs.embedded.server import EmbeddedServer
from libs.errors import Retriable, UserError

pytestmark = pytest.mark.integration

Made = Callable[[Path], EmbeddedServer]
Works = Callable[[EmbeddedServer], Awaitable[bool]]


async def nats_works(server: EmbeddedServer) -> bool:
    assert isinstance(server, EmbeddedNats)
    try:
        client = await connect(BusAddress(server.url, server.user, server.password), name="test")
    except Retriable:
        return False
    await client.close()
    return True


async def postgres_works(server: EmbeddedServer) -> bool:
    assert isinstance(server, EmbeddedPostgres)
    try:
        connection = await asyncpg.connect(server.dsn(), timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True


async def s3_works(server: EmbeddedServer) -> bool:
    assert isinstance(server, EmbeddedS3)
    async with httpx.AsyncClient() as http:
        try:
            return (await http.get(f"{server.endpoint}/healthcheck")).is_success
        except httpx.TransportError:
            return False


def address_of(server: EmbeddedServer) -> str | int:
    match server:
        case EmbeddedNats():
            return server.url
        case EmbeddedPostgres():
            return server.port
        case EmbeddedS3():
            return server.endpoint
    raise TypeError(type(server).__name__)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(1200):
        if await condition():
            return
        await asyncio.sleep(0.05)
    pytest.fail("it did not come back within a minute")


def nats(folder: Path) -> EmbeddedNats:
    return EmbeddedNats(folder, name="one", domain="one")


@pytest.mark.parametrize(
    ("made", "works", "how"),
    [
        (nats, nats_works, signal.SIGKILL),
        (nats, nats_works, signal.SIGTERM),
        (EmbeddedPostgres, postgres_works, signal.SIGKILL),
        (EmbeddedPostgres, postgres_works, signal.SIGINT),
        (EmbeddedPostgres, postgres_works, signal.SIGQUIT),
        (EmbeddedS3, s3_works, signal.SIGKILL),
    ],
)
async def test_a_server_that_ends_is_started_again_where_it_was(
    tmp_path: Path, made: Made, works: Works, how: signal.Signals
) -> None:
    async with made(tmp_path) as server, kept_running([server]):
        before, pids = address_of(server), server.pids
        os.kill(pids[-1], how)
        await until(lambda: anew(server, pids, works))
        assert address_of(server) == before


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGQUIT])
async def test_a_server_that_ends_while_it_is_started_is_started_again(
    tmp_path: Path, how: signal.Signals
) -> None:
    async with EmbeddedPostgres(tmp_path) as server, kept_running([server]):
        seen: list[int] = []
        for _ in range(3):
            seen += server.pids
            await until(partial(ended_by, server, how, tuple(seen)))
        await until(lambda: postgres_works(server))


async def ended_by(server: EmbeddedServer, how: signal.Signals, pids: tuple[int, ...]) -> bool:
    """Whether others run than these, who are told to end until they do: one that is just starting may not hear it."""
    if await others(server, pids):
        return True
    for pid in {*server.pids} & {*pids}:
        with suppress(ProcessLookupError):
            os.kill(pid, how)
    return False


async def others(server: EmbeddedServer, pids: tuple[int, ...]) -> bool:
    return server.running and not {*pids} & {*server.pids}


async def anew(server: EmbeddedServer, pids: tuple[int, ...], works: Works) -> bool:
    """Whether other processes than these run, and work; every one of them is another."""
    return await others(server, pids) and await works(server)


async def test_an_error_of_the_block_comes_out_as_it_is(tmp_path: Path) -> None:
    error = UserError("any", "reason", "remedy")
    async with EmbeddedNats(tmp_path, name="one") as server:
        with pytest.raises(UserError) as raised:
            async with kept_running([server]):
                raise error
    assert raised.value is error


async def test_its_port_is_waited_for(tmp_path: Path) -> None:
    server = EmbeddedNats(tmp_path, name="one")
    async with server:
        before = server.url
        with listening_socket(None) as taken:
            server._ports._write({"client": taken.getsockname()[1]})
            with pytest.raises(Retriable, match="port_taken"):
                await server.restart()
        server._ports._write({"client": int(before.rsplit(":", 1)[1])})
        await server.restart()
        assert server.url == before


async def test_a_server_that_is_stopped_afterwards_stays_so(tmp_path: Path) -> None:
    async with EmbeddedNats(tmp_path, name="one") as server:
        async with kept_running([server]):
            pid = server.pids[0]
        assert server.pids == (pid,)
        await server.stop()
        await asyncio.sleep(0.2)
        assert not server.running
