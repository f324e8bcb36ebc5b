"""A large archive copy is read in full with little memory, however large it is."""

from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from libs.copies.archived import examine_object
from libs.storage.s3 import S3Store
from libs.storage.s3_settings import MIB, S3Settings
from tests.support.memory import forget_peak, memory
from tests.support.servers import TestServers
from tests.support.sparse import sparse_package

pytestmark = pytest.mark.integration

LARGE = 64 * MIB
LITTLE = 40 * MIB


async def test_reading_a_large_copy_takes_little_memory(servers: TestServers, tmp_path: Path) -> None:
    tar, package = sparse_package(tmp_path, "package", LARGE)
    settings = S3Settings(
        endpoint=servers.s3_endpoint,
        bucket=f"memory-{uuid4().hex[:8]}",
        access_key=servers.s3_access_key,
        secret_key=SecretStr(servers.s3_secret_key),
    )
    seen: list[int] = []
    async with S3Store(settings) as store:
        await store.ensure_bucket()
        await store.upload_file(tar, package.name, size=package.size, expected_sha256=package.sha256)
        before = memory("VmRSS")
        forget_peak()  # of the upload
        assert await examine_object(store, package.name, package, read=seen.append) is None
        peak = memory("VmHWM")
    assert seen[-1] == package.size > LARGE
    assert peak - before < LITTLE
