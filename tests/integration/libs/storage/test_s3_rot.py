"""What Swift answers when its own files rot, and what a proof by bytes makes of it: a verdict, never a wait."""

import hashlib
import os
from pathlib import Path

import pytest

from libs.embedded.s3 import EmbeddedS3
from libs.errors import Permanent
from libs.storage.s3 import S3Store
from libs.storage.s3_objects import ExistingObject
from libs.storage.s3_proof import Proof, ProofMode, Verdict
from libs.storage.s3_settings import MIB
from tests.support.rot import Rot, damage, stored

pytestmark = pytest.mark.integration

SMALL, LARGE = 1_000_000, 12 * MIB


class Kept:
    """An object in the bucket."""

    def __init__(self, server: EmbeddedS3, store: S3Store, path: Path, size: int) -> None:
        self.store, self.path, self.size = store, path, size
        self.folder = server.folder
        path.write_bytes(os.urandom(size))
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()

    async def put(self, existing: ExistingObject = ExistingObject.KEEP) -> None:
        await self.store.upload_file(
            self.path, "kept.tar", size=self.size, expected_sha256=self.sha256, existing=existing
        )

    @property
    def files(self) -> list[Path]:
        return stored(self.folder, self.store.settings.bucket, "kept.tar")

    async def prove(self) -> Proof:
        return await self.store.prove("kept.tar", size=self.size, sha256=self.sha256, mode=ProofMode.BYTES)


@pytest.fixture
async def small(s3_server: EmbeddedS3, store: S3Store, tmp_path: Path) -> Kept:
    kept = Kept(s3_server, store, tmp_path / "small", SMALL)
    await kept.put()
    return kept


@pytest.fixture
async def large(s3_server: EmbeddedS3, store: S3Store, tmp_path: Path) -> Kept:
    kept = Kept(s3_server, store, tmp_path / "large", LARGE)
    await kept.put()
    return kept


@pytest.mark.parametrize(
    ("rot", "first"),
    [
        (Rot.FLIPPED, Verdict.CHECKSUM_DIFFERS),
        (Rot.CUT, Verdict.MISSING),
        (Rot.GROWN, Verdict.MISSING),
        (Rot.LOST, Verdict.MISSING),
    ],
)
async def test_an_object_in_one_piece(small: Kept, rot: Rot, first: Verdict) -> None:
    """A flipped byte is handed out once; then, as at once with another size, Swift puts the object aside."""
    [file] = small.files
    damage(file, rot)
    assert (await small.prove()).verdict is first
    assert (await small.prove()).verdict is Verdict.MISSING


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("rot", list(Rot))
async def test_an_object_in_parts(large: Kept, rot: Rot, part: int) -> None:
    """Of an object in parts the server says itself that it is broken, at HEAD it seems whole for ever."""
    assert len(large.files) == 3
    damage(large.files[part], rot)
    verdicts = [(await large.prove()).verdict for _ in range(2)]
    assert set(verdicts) <= {Verdict.CHECKSUM_DIFFERS, Verdict.BROKEN}
    assert verdicts[1] is Verdict.BROKEN
    assert await large.store.head("kept.tar") is not None
    await large.put(ExistingObject.REPLACE)
    assert (await large.prove()).verdict is Verdict.PROVEN


async def test_a_reader_of_a_broken_object_hears_of_it(large: Kept) -> None:
    damage(large.files[1], Rot.LOST)
    with pytest.raises(Permanent) as caught:
        async with large.store.open_stream("kept.tar") as stream:
            assert sum([len(block) async for block in stream]) < LARGE
    assert caught.value.problem.code == "object_broken"
