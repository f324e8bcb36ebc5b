import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError
from types_aiobotocore_s3 import S3Client

from libs.embedded.s3 import EmbeddedS3
from libs.errors import UserError

pytestmark = pytest.mark.integration

BUCKET = "raw-data"


@asynccontextmanager
async def connected(server: EmbeddedS3, secret_key: str | None = None) -> AsyncIterator[S3Client]:
    async with get_session().create_client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=secret_key or server.secret_key,
        region_name=server.region,
        config=AioConfig(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    ) as client:
        yield client


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedS3]:
    async with EmbeddedS3(tmp_path / "s3") as running:
        async with connected(running) as client:
            await client.create_bucket(Bucket=BUCKET)
        yield running


async def read(client: S3Client, key: str) -> bytes:
    return await (await client.get_object(Bucket=BUCKET, Key=key))["Body"].read()


def leftovers(folder: Path) -> list[Path]:
    return list(folder.glob(".xattr*"))


@pytest.mark.long
async def test_objects_outlive_a_restart_and_a_kill(server: EmbeddedS3) -> None:
    endpoint = server.endpoint
    async with connected(server) as client:
        await client.put_object(Bucket=BUCKET, Key="a/ü b", Body=b"one", Metadata={"origin": "chile"})
    await server.stop()
    await server.start()
    assert server.endpoint == endpoint
    async with connected(server) as client:
        await client.put_object(Bucket=BUCKET, Key="second", Body=b"two")
    for pid in server.pids:
        os.kill(pid, signal.SIGKILL)
    await server.stop()
    await server.start()
    async with connected(server) as client:
        assert await read(client, "a/ü b") == b"one"
        assert (await client.head_object(Bucket=BUCKET, Key="a/ü b"))["Metadata"] == {"origin": "chile"}
        listed = await client.list_objects_v2(Bucket=BUCKET)
        assert [found["Key"] for found in listed["Contents"]] == ["a/ü b", "second"]


async def test_an_object_that_its_container_could_not_take_in_is_listed_later(server: EmbeddedS3) -> None:
    containers = server.pids[1]
    before = resource.prlimit(containers, resource.RLIMIT_FSIZE)
    async with connected(server) as client:
        resource.prlimit(containers, resource.RLIMIT_FSIZE, (0, before[1]))
        await client.put_object(Bucket=BUCKET, Key="k", Body=b"data")
        assert await read(client, "k") == b"data"
        assert "Contents" not in await client.list_objects_v2(Bucket=BUCKET)
        resource.prlimit(containers, resource.RLIMIT_FSIZE, before)
        for _ in range(300):
            if "Contents" in await client.list_objects_v2(Bucket=BUCKET):
                return
            await asyncio.sleep(0.2)
    pytest.fail("it is not listed after a minute")


async def test_it_is_local_and_wants_the_right_key(
    server: EmbeddedS3, listening: Callable[[tuple[int, ...]], set[str]]
) -> None:
    assert listening(server.pids) == {"127.0.0.1"}
    assert len(server.pids) == 2
    async with connected(server, secret_key="wrong") as client:
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            await client.list_buckets()
    private = (server.folder / "secret.key", server.folder / "conf" / "proxy-server.conf")
    assert all(path.stat().st_mode & 0o077 == 0 for path in private)


@pytest.mark.long
async def test_two_side_by_side_and_one_twice(server: EmbeddedS3, tmp_path: Path) -> None:
    async with EmbeddedS3(tmp_path / "other") as other:
        assert other.endpoint != server.endpoint
        async with connected(other) as client:
            assert (await client.list_buckets())["Buckets"] == []
    with pytest.raises(UserError, match=str(os.getpid())):
        await EmbeddedS3(server.folder).start()


async def test_a_file_system_without_attributes_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", refuse)
    with pytest.raises(UserError, match="user extended attributes") as caught:
        await EmbeddedS3(tmp_path).start()
    assert "ext4" in caught.value.problem.remedy
    assert not leftovers(tmp_path)


async def test_one_lost_process_shows(server: EmbeddedS3) -> None:
    assert server.running
    os.kill(server.pids[0], signal.SIGKILL)
    psutil.wait_procs([psutil.Process(server.pids[0])], 5)
    assert not server.running
