"""A large archive copy is read in full with little memory, however large it is."""

from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from contracts.packages import PackageRecord, Provenance
from libs.copies.archived import examine_object
from libs.packaging import PayloadFile, write_bag
from libs.storage.s3 import S3Store
from libs.storage.s3_settings import MIB, S3Settings
from tests.support.servers import TestServers

pytestmark = pytest.mark.integration

LARGE = 64 * MIB
LITTLE = 40 * MIB


def sealed(folder: Path, size: int) -> tuple[Path, PackageRecord]:
    """A package of one sparse file."""
    path, tar = folder / "sparse.raw", folder / "package.tar"
    with path.open("wb") as file:
        file.truncate(size)
    payload = [PayloadFile(path.name, size, path.stat().st_mtime_ns)]
    bag = write_bag(folder, payload, tar, name="package", info={"Bagging-Date": "2026-03-01"})
    provenance = Provenance(
        observatory="Test Observatory",
        telescope="Test Telescope",
        site="chile",
        instrument="camera",
        module="main",
        executed_obs_unit_id=uuid4(),
    )
    record = PackageRecord(
        package_id=uuid4(),
        name=tar.name,
        size=bag.size,
        sha256=bag.sha256,
        file_count=bag.file_count,
        payload_bytes=bag.payload_bytes,
        provenance=provenance,
    )
    return tar, record


def memory(name: str) -> int:
    """Bytes of this process: VmRSS now, or VmHWM at most since that was last forgotten."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith(name)))


def forget_peak() -> None:
    """Have VmHWM begin anew."""
    Path("/proc/self/clear_refs").write_text("5")


async def test_reading_a_large_copy_takes_little_memory(servers: TestServers, tmp_path: Path) -> None:
    tar, package = sealed(tmp_path, LARGE)
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
