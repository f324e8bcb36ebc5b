import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import nats
import psutil
import pytest
from nats.aio.client import Client
from nats.js.api import ExternalStream, StreamConfig, StreamSource
from nats.js.client import JetStreamContext

from libs.embedded.nats import EmbeddedNats
from libs.embedded.ports import listening_socket
from libs.errors import Permanent, UserError

pytestmark = pytest.mark.integration


@asynccontextmanager
async def connected(server: EmbeddedNats) -> AsyncIterator[Client]:
    client = await nats.connect(server.url, user=server.user, password=server.password)
    try:
        yield client
    finally:
        await client.close()


async def stored(jetstream: JetStreamContext, stream: str, wanted: int) -> int:
    """The stream's messages, as soon as it answers and has so many."""
    async with asyncio.timeout(20):
        while True:
            with suppress(nats.errors.NoRespondersError, nats.js.errors.ServiceUnavailableError):
                messages = (await jetstream.stream_info(stream)).state.messages
                if messages >= wanted:
                    return messages
            await asyncio.sleep(0.02)


async def greeting(server: EmbeddedNats, password: str) -> bytes:
    """What the server answers to a login, by the bare protocol."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
    try:
        assert (await reader.readline()).startswith(b"INFO ")
        login = json.dumps({"user": server.user, "pass": password, "verbose": False, "protocol": 1})
        writer.write(f"CONNECT {login}\r\nPING\r\n".encode())
        return await reader.readline()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_messages_outlive_a_restart_and_a_kill(tmp_path: Path) -> None:
    server = EmbeddedNats(tmp_path, name="one")
    async with server:
        url = server.url
        async with connected(server) as client:
            await client.jetstream().add_stream(name="EVENTS", subjects=["events.>"])
            await client.jetstream().publish("events.a", b"first")
    assert not server.running
    async with server:
        assert server.url == url
        async with connected(server) as client:
            await client.jetstream().publish("events.b", b"second")
        os.kill(server.pids[0], signal.SIGKILL)
    async with server, connected(server) as client:
        assert (await client.jetstream().stream_info("EVENTS")).state.messages == 2


async def test_it_is_local_and_asks_for_a_password(
    tmp_path: Path, listening: Callable[[tuple[int, ...]], set[str]]
) -> None:
    async with EmbeddedNats(tmp_path, name="one", accept_leaves=True) as server:
        assert listening(server.pids) == {"127.0.0.1"}
        assert await greeting(server, server.password) == b"PONG\r\n"
        for password in ("wrong", ""):
            assert b"Authorization Violation" in await greeting(server, password)
        async with httpx.AsyncClient() as http:
            config = (await http.get(f"{server.monitor_url}/jsz")).json()["config"]
            without_path = server.monitor_url.rsplit("/", 1)[0]
            assert (await http.get(f"{without_path}/varz")).status_code == 404
        assert config["sync_always"] is True
        assert config["store_dir"].startswith(str(tmp_path))
    for name in ("nats.conf", "password", "leaf.password", "monitor.path"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0


async def test_a_leaf_mirrors_a_stream_of_another_domain(tmp_path: Path) -> None:
    hub = EmbeddedNats(tmp_path / "hub", name="cologne", domain="cologne", accept_leaves=True)
    async with hub:
        leaf = EmbeddedNats(tmp_path / "leaf", name="chile", domain="chile", leaf_of=hub.leaf_remote)
        async with leaf, connected(leaf) as at_leaf:
            await at_leaf.jetstream().add_stream(name="EVENTS_chile", subjects=["chasqui.chile.>"])
            await at_leaf.jetstream().publish("chasqui.chile.x", b"1")
            async with connected(hub) as at_hub:
                source = StreamSource(name="EVENTS_chile", external=ExternalStream(api="$JS.chile.API"))
                await at_hub.jetstream().add_stream(StreamConfig(name="EVENTS_chile", mirror=source))
                assert await stored(at_hub.jetstream(), "EVENTS_chile", 1) == 1
            await hub.stop()
            await at_leaf.jetstream().publish("chasqui.chile.x", b"2")
            await hub.start()
            async with connected(hub) as at_hub:
                assert await stored(at_hub.jetstream(domain="chile"), "EVENTS_chile", 2) == 2


async def test_two_side_by_side_and_one_twice(tmp_path: Path) -> None:
    one, two = (EmbeddedNats(tmp_path / name, name=name) for name in ("one", "two"))
    async with one, two:
        assert one.url != two.url
        with pytest.raises(UserError, match=str(os.getpid())):
            await EmbeddedNats(tmp_path / "one", name="one").start()
        with pytest.raises(RuntimeError, match="started already"):
            await one.start()
        assert one.running


async def test_a_port_taken_meanwhile_is_replaced(tmp_path: Path) -> None:
    server = EmbeddedNats(tmp_path, name="one")
    async with server:
        before = int(server.url.rsplit(":", 1)[1])
    with listening_socket(before):
        async with server:
            assert int(server.url.rsplit(":", 1)[1]) != before


async def test_a_port_lost_in_the_race_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedNats(tmp_path, name="one")
    taken = listening_socket(None)
    choose = server._ports.choose
    choices = []

    def lose_once(*arguments: object) -> dict[str, int]:
        ports = choose(*arguments)  # type: ignore[arg-type] # handed on as they came
        choices.append(ports)
        return ports if len(choices) > 1 else {**ports, "client": int(taken.getsockname()[1])}

    monkeypatch.setattr(server._ports, "choose", lose_once)
    with taken:
        async with server:
            assert len(choices) == 2


async def test_a_failure_shows_the_log(tmp_path: Path) -> None:
    before = set(psutil.Process().children())
    server = EmbeddedNats(tmp_path, name="bad name")
    with pytest.raises(Permanent, match="server name cannot contain spaces") as caught:
        await server.start()
    assert caught.value.problem.code == "server_did_not_start"
    assert not server.running
    assert set(psutil.Process().children()) == before
