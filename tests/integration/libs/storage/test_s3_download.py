import asyncio
import hashlib
import io
import os
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from libs.errors import Permanent, Retriable
from libs.storage.s3 import S3Store
from libs.storage.s3_proof import ProofMode
from libs.storage.s3_settings import MIB, S3Settings

pytestmark = pytest.mark.integration

SIZE = 8 * MIB + 5


class CuttingProxy:
    """Forwards to the server and cuts the first `cuts` answers after `after` bytes; down after `down` cuts."""

    def __init__(self, target: str, cuts: int, after: int, down: int | None) -> None:
        host, _, port = target.removeprefix("http://").partition(":")
        self._target = (host, int(port))
        self._after = after
        self.cuts_left = cuts
        self._down = down
        self.made = 0
        self.served = 0
        self._open = 0
        self.idle = asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        self.idle.clear()
        if self.made == self._down:
            writer.transport.abort()
            self._leave()
            return
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        requests = asyncio.create_task(self._forward(reader, server_writer))
        await self._answer(server_reader, writer)
        writer.transport.abort()
        await requests
        self._leave()

    def _leave(self) -> None:
        self._open -= 1
        if not self._open:
            self.idle.set()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while block := await reader.read(65536):
                writer.write(block)
                await writer.drain()
        writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = 0
        with suppress(ConnectionError):
            while block := await reader.read(65536):
                writer.write(block)
                await writer.drain()
                sent += len(block)
                self.served += len(block)
                if self.cuts_left and sent >= self._after:
                    self.cuts_left -= 1
                    self.made += 1
                    return


@asynccontextmanager
async def cutting(
    settings: S3Settings, cuts: int, *, after: int = 2 * MIB, down: int | None = None
) -> AsyncIterator[tuple[S3Store, CuttingProxy]]:
    proxy = CuttingProxy(settings.endpoint, cuts, after, down)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    away = settings.model_copy(update={"endpoint": f"http://127.0.0.1:{port}"})
    async with server, S3Store(away) as store:
        yield store, proxy
    await proxy.idle.wait()


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def exhaust(blocks: AsyncIterator[bytes]) -> None:
    async for _ in blocks:
        pass


@pytest.fixture
async def data(store: S3Store, tmp_path: Path) -> bytes:
    content = os.urandom(SIZE)
    path = tmp_path / "source"
    path.write_bytes(content)
    await store.upload_file(path, "f", size=SIZE, expected_sha256=hashlib.sha256(content).hexdigest())
    path.unlink()
    return content


async def test_whole_stream(store: S3Store, data: bytes) -> None:
    async with store.open_stream("f") as stream:
        assert b"".join([block async for block in stream]) == data
        assert stream.resumed == 0


async def test_a_cut_stream_goes_on_where_it_broke(settings: S3Settings, data: bytes) -> None:
    async with cutting(settings, cuts=3) as (store, proxy), store.open_stream("f") as stream:
        assert b"".join([block async for block in stream]) == data
        assert stream.resumed == 3
        assert proxy.served < SIZE + 4 * MIB


async def test_cuts_without_progress_end_it(settings: S3Settings, data: bytes) -> None:
    del data
    async with cutting(settings, cuts=1, down=1) as (store, _):
        with pytest.raises(Retriable) as caught:
            await store.prove("f", size=SIZE, sha256="0" * 64, mode=ProofMode.BYTES)
    assert caught.value.problem.code == "s3_unreachable"


async def test_proof_and_download_survive_cuts(settings: S3Settings, data: bytes, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(data).hexdigest()
    async with cutting(settings, cuts=2) as (store, _):
        (await store.prove("f", size=SIZE, sha256=sha256, mode=ProofMode.BYTES)).require()
    counted: list[int] = []
    async with cutting(settings, cuts=2) as (store, proxy):
        await store.download_file("f", tmp_path / "new/f", size=SIZE, sha256=sha256, progress=counted.append)
        assert proxy.cuts_left == 0
    assert (tmp_path / "new/f").read_bytes() == data
    assert sum(counted) == SIZE


async def test_a_wrong_download_is_not_kept(store: S3Store, data: bytes, tmp_path: Path) -> None:
    del data
    with pytest.raises(Permanent) as caught:
        await store.download_file("f", tmp_path / "f", size=SIZE, sha256="0" * 64)
    assert caught.value.problem.code == "checksum_mismatch"
    assert names(tmp_path) == []


async def test_an_object_replaced_meanwhile(settings: S3Settings, store: S3Store, data: bytes) -> None:
    del data
    async with cutting(settings, cuts=1) as (slow, _), slow.open_stream("f") as stream:
        blocks = aiter(stream)
        await anext(blocks)
        await store._client.put_object(Bucket=settings.bucket, Key="f", Body=bytes(SIZE))
        with pytest.raises(Retriable) as caught:
            await exhaust(blocks)
    assert caught.value.problem.code == "object_changed"


async def test_leaving_early_stops_the_fetching(settings: S3Settings, data: bytes) -> None:
    del data
    async with cutting(settings, cuts=0) as (store, proxy):
        async with store.open_stream("f") as stream:
            async for _block in stream:
                break
        await asyncio.sleep(0.2)
        assert proxy.served < SIZE


async def test_a_tar_is_unpacked_straight_from_the_bucket(
    store: S3Store, settings: S3Settings, tmp_path: Path
) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for index in range(5):
            member = tarfile.TarInfo(f"data/é {index}.fits")
            member.size = MIB
            tar.addfile(member, io.BytesIO(bytes([index]) * MIB))
    content = packed.getvalue()
    (tmp_path / "p").write_bytes(content)
    await store.upload_file(
        tmp_path / "p", "p.tar", size=len(content), expected_sha256=hashlib.sha256(content).hexdigest()
    )

    def unpack(file: io.BufferedReader) -> dict[str, bytes]:
        with tarfile.open(fileobj=file, mode="r|") as tar:
            return {member.name: body.read() for member in tar if (body := tar.extractfile(member))}

    async with cutting(settings, cuts=1) as (cut, _), cut.open_reader("p.tar") as file:
        files = await asyncio.to_thread(unpack, file)
    assert files == {f"data/é {index}.fits": bytes([index]) * MIB for index in range(5)}
