import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pydantic import SecretStr

from libs.embedded.s3 import EmbeddedS3
from libs.storage.s3 import S3Store
from libs.storage.s3_settings import MIB, S3Settings


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def s3_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedS3]:
    async with EmbeddedS3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def settings(s3_server: EmbeddedS3) -> S3Settings:
    """A bucket of the test's own, which is not made yet; parts as small as S3 allows."""
    return S3Settings(
        endpoint=s3_server.endpoint,
        bucket=f"test-{secrets.token_hex(6)}",
        access_key=s3_server.access_key,
        secret_key=SecretStr(s3_server.secret_key),
        region=s3_server.region,
        part_size=5 * MIB,
        read_seconds=20,
    )


@pytest.fixture
async def store(settings: S3Settings) -> AsyncIterator[S3Store]:
    async with S3Store(settings) as entered:
        await entered.ensure_bucket()
        yield entered
