import hashlib
import socket
from pathlib import Path

import pytest
from pydantic import SecretStr

from libs.errors import Permanent, Retriable
from libs.storage.s3 import S3Store
from libs.storage.s3_objects import ExistingObject
from libs.storage.s3_proof import ProofMode
from libs.storage.s3_settings import S3Settings

pytestmark = pytest.mark.integration


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def every_operation(store: S3Store, tmp_path: Path) -> set[str]:
    """The codes that each operation raises."""
    (tmp_path / "f").write_bytes(b"x")

    async def listed() -> None:
        async for _ in store.list():
            pass

    async def streamed() -> None:
        async with store.open_stream("f"):
            pass

    operations = [
        lambda: store.upload_file(tmp_path / "f", "f", size=1, expected_sha256="2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"),
        lambda: store.upload_file(tmp_path / "f", "f", size=10 << 20, expected_sha256="0" * 64),
        lambda: store.put_json("f", {}),
        lambda: store.get_json("f"),
        lambda: store.head("f"),
        lambda: store.prove("f", size=1, sha256="", mode=ProofMode.BYTES),
        lambda: store.download_file("f", tmp_path / "g", size=1, sha256=""),
        lambda: store.delete("f"),
        store.check_bucket,
        listed,
        streamed,
    ]  # fmt: skip
    codes = set()
    for operation in operations:
        with pytest.raises(Retriable) as caught:
            await operation()
        codes.add(caught.value.problem.code)
        assert store.settings.bucket in caught.value.problem.reason
    assert names(tmp_path) == ["f"]
    return codes


async def test_missing_bucket(settings: S3Settings, tmp_path: Path) -> None:
    async with S3Store(settings) as store:
        assert await every_operation(store, tmp_path) == {"bucket_missing"}


async def test_wrong_secret(store: S3Store, tmp_path: Path) -> None:
    wrong = store.settings.model_copy(update={"secret_key": SecretStr("wrong")})
    async with S3Store(wrong) as denied:
        assert await every_operation(denied, tmp_path) == {"s3_credentials"}


async def test_unknown_user(store: S3Store, tmp_path: Path) -> None:
    wrong = store.settings.model_copy(update={"access_key": "nobody"})
    async with S3Store(wrong) as denied:
        assert await every_operation(denied, tmp_path) == {"s3_credentials"}


async def test_nobody_listens(settings: S3Settings, tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        away = settings.model_copy(
            update={"endpoint": f"http://127.0.0.1:{bound.getsockname()[1]}", "attempts": 1}
        )
        async with S3Store(away) as store:
            assert await every_operation(store, tmp_path) == {"s3_unreachable"}


async def test_bucket_is_made_once(settings: S3Settings) -> None:
    async with S3Store(settings) as store:
        await store.ensure_bucket()
        await store.ensure_bucket()
        await store.check_bucket()


async def test_missing_objects(store: S3Store, tmp_path: Path) -> None:
    assert await store.head("f") is None
    await store.delete("f")
    with pytest.raises(Permanent) as caught:
        await store.get_json("f")
    assert caught.value.problem.code == "object_missing"
    with pytest.raises(Permanent):
        await store.download_file("f", tmp_path / "f", size=1, sha256="")
    assert names(tmp_path) == []


async def test_sidecars(store: S3Store) -> None:
    document = {"target": "Orión", "ra_deg": 83.8, "files": [1, 2]}
    facts = await store.put_json("s.json", document)
    assert facts.sha256 is not None
    assert await store.get_json("s.json") == document
    await store.put_json("s.json", {"v": 2})
    assert await store.get_json("s.json") == {"v": 2}


async def test_a_sidecar_that_says_the_same_is_left_alone_if_wanted(store: S3Store) -> None:
    async def kind() -> str:
        found = await store._client.head_object(Bucket=store.settings.bucket, Key="s.json")
        return str(found["ContentType"])

    bucket, body = store.settings.bucket, b'{"v":1}'
    told = {"sha256": hashlib.sha256(body).hexdigest()}
    await store._client.put_object(
        Bucket=bucket, Key="s.json", Body=body, Metadata=told, ContentType="text/plain"
    )
    await store.put_json("s.json", {"v": 1}, existing=ExistingObject.KEEP)
    assert await kind() == "text/plain"
    await store.put_json("s.json", {"v": 1})
    assert await kind() == "application/json"
    await store.put_json("s.json", {"v": 2}, existing=ExistingObject.KEEP)
    assert await store.get_json("s.json") == {"v": 2}


@pytest.mark.parametrize(("body", "metadata"), [(b"{}", {"sha256": "0" * 64}), (b"no json", {})])
async def test_a_damaged_sidecar(store: S3Store, body: bytes, metadata: dict[str, str]) -> None:
    await store._client.put_object(Bucket=store.settings.bucket, Key="s.json", Body=body, Metadata=metadata)
    with pytest.raises(Permanent) as caught:
        await store.get_json("s.json")
    assert caught.value.problem.code == "checksum_mismatch"


async def test_list_by_prefix(store: S3Store) -> None:
    for key in ("a/1", "a/2", "b/1"):
        await store.put_json(key, {})
    assert [found.key async for found in store.list("a/")] == ["a/1", "a/2"]
    assert {found.size async for found in store.list()} == {2}


async def test_used_outside_its_block(settings: S3Settings) -> None:
    with pytest.raises(RuntimeError):
        await S3Store(settings).head("f")
