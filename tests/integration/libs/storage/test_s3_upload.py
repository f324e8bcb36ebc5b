import asyncio
import hashlib
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from libs.errors import Permanent, Retriable
from libs.storage import s3_parts, s3_upload
from libs.storage.s3 import S3Store
from libs.storage.s3_objects import ExistingObject, Uploaded, UploadOutcome
from libs.storage.s3_parts import crc_of
from libs.storage.s3_proof import ProofMode, Verdict
from libs.storage.s3_settings import MIB, S3Settings
from tests.support.pulses import counted

pytestmark = pytest.mark.integration


class Given(NamedTuple):
    path: Path
    size: int
    sha256: str


@pytest.fixture
def make(tmp_path: Path) -> Callable[[int], Given]:
    def write(size: int) -> Given:
        data = os.urandom(size)
        path = tmp_path / f"{hashlib.sha256(data).hexdigest()[:12]}.tar"
        path.write_bytes(data)
        return Given(path, size, hashlib.sha256(data).hexdigest())

    return write


async def upload(
    store: S3Store, key: str, given: Given, existing: ExistingObject = ExistingObject.KEEP
) -> Uploaded:
    return await store.upload_file(
        given.path, key, size=given.size, expected_sha256=given.sha256, existing=existing
    )


async def keys(store: S3Store) -> list[str]:
    return [found.key async for found in store.list()]


async def unfinished(store: S3Store) -> list[str]:
    return [key async for key in store.unfinished()]


async def begin_upload(store: S3Store, key: str) -> None:
    """What a killed uploader leaves behind: a multipart with one part."""
    created = await store._client.create_multipart_upload(Bucket=store.settings.bucket, Key=key)
    await store._client.upload_part(
        Bucket=store.settings.bucket, Key=key, UploadId=created["UploadId"], PartNumber=1, Body=b"left behind"
    )


@pytest.mark.parametrize("size", [0, 1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 12 * MIB])
async def test_every_size_arrives(store: S3Store, make: Callable[[int], Given], size: int) -> None:
    given = make(size)
    counted: list[int] = []
    done = await store.upload_file(
        given.path,
        "f",
        size=size,
        expected_sha256=given.sha256,
        metadata={"unit": "u1"},
        progress=counted.append,
    )
    assert (done.outcome, done.size, done.crc64nvme) == (
        UploadOutcome.UPLOADED,
        size,
        crc_of(given.path.read_bytes()),
    )
    assert done.parts == max(1, -(-size // (5 * MIB)))
    assert sum(counted) == size
    for mode in ProofMode:
        proof = await store.prove("f", size=size, sha256=given.sha256, mode=mode, crc64nvme=done.crc64nvme)
        assert proof.require().bytes_read == (size if mode is ProofMode.BYTES else 0)
        assert proof.etag == done.etag
    facts = await store.head("f")
    assert facts is not None
    assert facts.metadata == {"unit": "u1", "sha256": given.sha256}
    assert await unfinished(store) == []


async def test_a_big_object_in_many_parts(settings: S3Settings, make: Callable[[int], Given]) -> None:
    given = make(100 * MIB + 3)
    async with S3Store(settings.model_copy(update={"part_size": 16 * MIB})) as store:
        await store.ensure_bucket()
        assert (await upload(store, "big.tar", given)).parts == 7
        (await store.prove("big.tar", size=given.size, sha256=given.sha256, mode=ProofMode.BYTES)).require()


@pytest.mark.parametrize("key", ["plain.tar", "ünï/文件 1+2&3=%25#?.tar", "-rf", "a/b//c", "x" * 900])
async def test_keys_of_every_kind(store: S3Store, make: Callable[[int], Given], key: str) -> None:
    small, big = make(10), make(6 * MIB)
    await upload(store, key, small)
    await upload(store, key + "-multipart", big)
    assert await keys(store) == [key, key + "-multipart"]
    (await store.prove(key, size=10, sha256=small.sha256, mode=ProofMode.BYTES)).require()
    (await store.prove(key + "-multipart", size=big.size, sha256=big.sha256, mode=ProofMode.BYTES)).require()


@pytest.mark.parametrize("size", [1000, 12 * MIB])
async def test_a_wrong_checksum_leaves_nothing(
    store: S3Store, make: Callable[[int], Given], size: int
) -> None:
    given = make(size)._replace(sha256="0" * 64)
    with pytest.raises(Permanent) as caught:
        await upload(store, "f", given)
    assert caught.value.problem.code == "checksum_mismatch"
    assert await keys(store) == []
    assert await unfinished(store) == []
    assert given.path.exists()


@pytest.mark.parametrize("size", [1000, 12 * MIB])
async def test_a_second_upload_reads_and_sends_nothing(
    store: S3Store, make: Callable[[int], Given], size: int
) -> None:
    given = make(size)
    first = await upload(store, "f", given)
    given.path.unlink()
    second = await upload(store, "f", given)
    assert (second.outcome, second.etag, second.parts) == (UploadOutcome.ALREADY_THERE, first.etag, 0)


@pytest.mark.parametrize("size", [1000, 6 * MIB])
async def test_a_different_object_is_not_overwritten(
    store: S3Store, make: Callable[[int], Given], size: int
) -> None:
    first, second = make(size), make(size)
    await upload(store, "f", first)
    with pytest.raises(Permanent) as caught:
        await upload(store, "f", second)
    assert caught.value.problem.code == "object_differs"
    (await store.prove("f", size=size, sha256=first.sha256, mode=ProofMode.BYTES)).require()
    await upload(store, "f", second, ExistingObject.REPLACE)
    (await store.prove("f", size=size, sha256=second.sha256, mode=ProofMode.BYTES)).require()


@pytest.mark.parametrize("size", [1000, 6 * MIB])
async def test_a_different_object_that_comes_meanwhile_is_not_overwritten(
    store: S3Store, make: Callable[[int], Given], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    mine, other = make(size), make(size)
    real_send = s3_upload.send

    async def overtaken(*arguments: object) -> Uploaded | None:
        monkeypatch.setattr(s3_upload, "send", real_send)
        await upload(store, "f", other)
        return await real_send(*arguments)  # type: ignore[arg-type] # handed through as they came

    monkeypatch.setattr(s3_upload, "send", overtaken)
    with pytest.raises(Permanent) as caught:
        await upload(store, "f", mine)
    assert caught.value.problem.code == "object_differs"
    assert await unfinished(store) == []
    (await store.prove("f", size=size, sha256=other.sha256, mode=ProofMode.BYTES)).require()


@pytest.mark.parametrize("size", [1000, 11 * MIB])
async def test_two_writers_of_the_same_content(
    store: S3Store, make: Callable[[int], Given], size: int
) -> None:
    given = make(size)
    done = await asyncio.gather(upload(store, "f", given), upload(store, "f", given))
    assert UploadOutcome.UPLOADED in {each.outcome for each in done}
    assert await unfinished(store) == []
    (await store.prove("f", size=size, sha256=given.sha256, mode=ProofMode.BYTES)).require()


async def test_what_a_kill_left_behind_is_cleared(store: S3Store, make: Callable[[int], Given]) -> None:
    given = make(6 * MIB)
    await begin_upload(store, "f")
    await begin_upload(store, "f2")
    await upload(store, "f", given)
    assert await unfinished(store) == ["f2"]


async def test_only_stale_uploads_are_aborted_before_the_start(store: S3Store) -> None:
    await begin_upload(store, "f")
    bucket = store.settings.bucket
    assert await s3_upload.abort_uploads(store._client, bucket, "f", timedelta(hours=1)) == 0
    assert await s3_upload.abort_uploads(store._client, bucket, "f", None) == 1
    assert await unfinished(store) == []


async def test_a_cancelled_upload_leaves_no_multipart(store: S3Store, make: Callable[[int], Given]) -> None:
    given = make(40 * MIB)
    first_part = asyncio.Event()
    uploading = asyncio.create_task(
        store.upload_file(
            given.path,
            "f",
            size=given.size,
            expected_sha256=given.sha256,
            progress=lambda _: first_part.set(),
        )
    )
    await first_part.wait()
    uploading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await uploading
    assert await unfinished(store) == []
    assert await keys(store) == []


async def test_bytes_that_change_on_the_way_are_rejected_by_the_server(
    store: S3Store, make: Callable[[int], Given], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = make(6 * MIB)
    monkeypatch.setattr(s3_parts, "crc64nvme", lambda _: 12345)
    with pytest.raises(Retriable) as caught:
        await upload(store, "f", given)
    assert caught.value.problem.code == "checksum_rejected"
    assert await unfinished(store) == []


@pytest.mark.parametrize("difference", [-1, 1])
async def test_a_source_of_another_size(
    store: S3Store, make: Callable[[int], Given], difference: int
) -> None:
    given = make(6 * MIB)
    with pytest.raises(Permanent) as caught:
        await upload(store, "f", given._replace(size=given.size + difference))
    assert caught.value.problem.code == "source_changed"
    assert await unfinished(store) == []


async def test_a_missing_source(store: S3Store, tmp_path: Path) -> None:
    with pytest.raises(Permanent) as caught:
        await upload(store, "f", Given(tmp_path / "gone", 1, "0" * 64))
    assert caught.value.problem.code == "source_missing"


async def test_proof_finds_what_another_client_damaged(store: S3Store, make: Callable[[int], Given]) -> None:
    given = make(6 * MIB)
    await upload(store, "f", given)
    damaged = bytearray(given.path.read_bytes())
    damaged[3 * MIB] ^= 1
    await store._client.put_object(
        Bucket=store.settings.bucket, Key="f", Body=bytes(damaged[:MIB]), Metadata={"sha256": given.sha256}
    )
    head = await store.prove("f", size=given.size, sha256=given.sha256, mode=ProofMode.HEAD)
    assert head.verdict is Verdict.SIZE_DIFFERS


async def test_only_the_bytes_show_a_flipped_bit(store: S3Store, make: Callable[[int], Given]) -> None:
    given = make(1000)
    await upload(store, "f", given)
    damaged = bytearray(given.path.read_bytes())
    damaged[500] ^= 1
    await store._client.put_object(
        Bucket=store.settings.bucket, Key="f", Body=bytes(damaged), Metadata={"sha256": given.sha256}
    )
    assert (
        await store.prove("f", size=1000, sha256=given.sha256, mode=ProofMode.HEAD)
    ).verdict is Verdict.PROVEN
    proof = await store.prove("f", size=1000, sha256=given.sha256, mode=ProofMode.BYTES)
    assert (proof.verdict, proof.bytes_read) == (Verdict.CHECKSUM_DIFFERS, 1000)
    await upload(store, "f", given, ExistingObject.REPLACE)
    (await store.prove("f", size=1000, sha256=given.sha256, mode=ProofMode.BYTES)).require()


async def test_proof_of_a_missing_object(store: S3Store) -> None:
    for mode in ProofMode:
        assert (await store.prove("f", size=1, sha256="0" * 64, mode=mode)).verdict is Verdict.MISSING


async def test_uploading_and_proving_give_signs_of_life(store: S3Store, make: Callable[[int], Given]) -> None:
    """With each slice that was sent and each block that came back, so that a slow server is no stalled one."""
    given = make(2 * store.settings.part_size)
    with counted() as pulse:
        await upload(store, "alive.tar", given)
    assert pulse.beats >= given.size / (1 << 20)
    with counted() as pulse:
        await store.prove("alive.tar", size=given.size, sha256=given.sha256, mode=ProofMode.BYTES)
    assert pulse.beats >= given.size / (1 << 20)
