"""Objects that a Swift has and never lists: it had no room to note them down for the listing, and said so with a 503."""

import hashlib
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from libs.embedded.s3 import EmbeddedS3
from libs.errors import Permanent, Retriable
from libs.storage.s3 import S3Store
from libs.storage.s3_objects import ExistingObject, Uploaded, UploadOutcome
from libs.storage.s3_proof import ProofMode
from libs.storage.s3_settings import MIB

pytestmark = pytest.mark.integration
SIZES = pytest.mark.parametrize("size", [1000, 6 * MIB])


class Unlisted:
    """A file, and its object, which was stored while its container could not be written, and is not listed since."""

    def __init__(self, server: EmbeddedS3, store: S3Store, path: Path, size: int) -> None:
        self.path, self.size, self.data = path, size, os.urandom(size)
        self.sha256 = hashlib.sha256(self.data).hexdigest()
        self._server, self._store = server, store
        path.write_bytes(self.data)

    async def upload(self, *, unlisted: bool = False) -> Uploaded:
        sent = 0
        with _listings(self._server) as close:
            if unlisted and self.size < 5 * MIB:
                await self._store.check_bucket()  # the proxy cannot look for it afterwards, and remembers it
                close()

            def confirmed(count: int) -> None:
                nonlocal sent
                sent += count
                if unlisted and sent == self.size:  # all parts are there; the object itself comes next
                    close()

            return await self._store.upload_file(
                self.path, "f", size=self.size, expected_sha256=self.sha256, progress=confirmed
            )

    async def prove(self) -> None:
        (await self._store.prove("f", size=self.size, sha256=self.sha256, mode=ProofMode.BYTES)).require()


@contextmanager
def _listings(server: EmbeddedS3) -> Iterator[Callable[[], object]]:
    """Hands out what makes the containers' disk full; afterwards there is room, and no note of what was to be listed."""
    containers = server.pids[1]
    before = resource.prlimit(containers, resource.RLIMIT_FSIZE)
    try:
        yield lambda: resource.prlimit(containers, resource.RLIMIT_FSIZE, (0, before[1]))
    finally:
        if resource.prlimit(containers, resource.RLIMIT_FSIZE) != before:
            for note in server.folder.rglob("async_pending*/*/*"):
                note.unlink()
        resource.prlimit(containers, resource.RLIMIT_FSIZE, before)


@pytest.fixture
async def unlisted(s3_server: EmbeddedS3, store: S3Store, tmp_path: Path, size: int) -> Unlisted:
    made = Unlisted(s3_server, store, tmp_path / "f.tar", size)
    while await store.head("f") is None:
        with suppress(Retriable):  # a proxy that has forgotten the bucket meanwhile, on a busy machine
            assert (await made.upload(unlisted=True)).outcome is UploadOutcome.UPLOADED
    await made.prove()
    assert await keys(store) == []
    return made


async def keys(store: S3Store) -> list[str]:
    return [found.key async for found in store.list()]


@SIZES
async def test_what_no_listing_shows_is_sent_again(unlisted: Unlisted, store: S3Store) -> None:
    done = await unlisted.upload()
    assert (done.outcome, await keys(store)) == (UploadOutcome.UPLOADED, ["f"])
    await unlisted.prove()
    assert (await unlisted.upload()).outcome is UploadOutcome.ALREADY_THERE


@SIZES
async def test_what_is_not_here_any_more_stays_as_it_is(unlisted: Unlisted, store: S3Store) -> None:
    before = await store.head("f")
    unlisted.path.unlink()
    assert (await unlisted.upload()).outcome is UploadOutcome.UNLISTED
    unlisted.path.write_bytes(unlisted.data[:-1] + b"?")
    assert (await unlisted.upload()).outcome is UploadOutcome.UNLISTED
    assert await store.head("f") == before
    await unlisted.prove()


@pytest.mark.parametrize("size", [1000])
async def test_another_object_is_not_overwritten_though_no_listing_shows_it(
    unlisted: Unlisted, store: S3Store, tmp_path: Path
) -> None:
    other = Unlisted(unlisted._server, store, tmp_path / "other.tar", 1000)
    with pytest.raises(Permanent, match="object_differs"):
        await other.upload()
    with pytest.raises(Permanent, match="object_differs"):
        await store.put_bytes("f", other.data)
    await unlisted.prove()


@pytest.mark.parametrize("size", [1000])
async def test_a_small_object_is_written_again(unlisted: Unlisted, store: S3Store) -> None:
    """A segment of the log, which a restoration finds by the listing."""
    assert await store.put_bytes("f", unlisted.data) is UploadOutcome.UPLOADED
    assert await keys(store) == ["f"]
    kept = await store.put_bytes("f", unlisted.data, existing=ExistingObject.KEEP)
    assert kept is UploadOutcome.ALREADY_THERE
    await unlisted.prove()
