"""A bucket on an S3 server as a place for files, with one shared client.

async with S3Store(settings) as store:
    await store.upload_file(path, "packages/a.tar", size=..., expected_sha256=...)
    (await store.prove("packages/a.tar", size=..., sha256=..., mode=ProofMode.BYTES)).require()
"""

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError

from libs.errors import Permanent, Retriable
from libs.storage import s3_download, s3_upload
from libs.storage.base import ByteProgress, unheard
from libs.storage.landing import Landing
from libs.storage.s3_errors import bucket_missing, error_code, http_status, is_missing, translated
from libs.storage.s3_objects import (
    SHA256_KEY,
    ExistingObject,
    ListedObject,
    ObjectFacts,
    Uploaded,
    facts_from,
)
from libs.storage.s3_parts import crc_of, plan_parts
from libs.storage.s3_proof import Proof, ProofMode, Verdict, judge_bytes, judge_head, proof
from libs.storage.s3_reader import reading
from libs.storage.s3_settings import S3Settings, make_client

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

STALE_UPLOAD = timedelta(hours=6)
"""Age at which an unfinished multipart upload of a key is taken for a dead one."""

_MISSING = 404
_WRITE_BATCH = 4 << 20


class S3Store:
    """Objects of one bucket. Enter it before use; methods may run side by side.

    Every method raises, besides what it names, `Retriable` `s3_unreachable`, `s3_busy`, `s3_credentials`,
    `bucket_missing`, `s3_full`, `s3_clock_skew`, `checksum_rejected`, and `Permanent` `s3_refused`.
    """

    def __init__(self, settings: S3Settings) -> None:
        self.settings = settings
        self._stack = AsyncExitStack()
        self._entered: S3Client | None = None

    async def __aenter__(self) -> Self:
        self._entered = await self._stack.enter_async_context(make_client(self.settings))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = None
        await self._stack.aclose()

    @property
    def _client(self) -> "S3Client":
        if self._entered is None:
            raise RuntimeError("S3Store is used outside its `async with` block")
        return self._entered

    async def ensure_bucket(self) -> None:
        """Create the bucket unless it is there."""
        with translated(self.settings, "create the bucket"):
            if await self._bucket_exists():
                return
            try:
                await self._client.create_bucket(Bucket=self.settings.bucket)
            except ClientError as error:
                if error_code(error) != "BucketAlreadyOwnedByYou":
                    raise

    async def check_bucket(self) -> None:
        """Make sure that the server, the credentials and the bucket are right, without changing anything.

        Raises:
            Retriable: `bucket_missing`.
        """
        with translated(self.settings, "look for the bucket"):
            if not await self._bucket_exists():
                raise bucket_missing(
                    f"look for the bucket at {self.settings.endpoint}, {self.settings.bucket!r}"
                )

    async def upload_file(
        self,
        path: Path,
        key: str,
        *,
        size: int,
        expected_sha256: str,
        metadata: Mapping[str, str] | None = None,
        existing: ExistingObject = ExistingObject.KEEP,
        progress: ByteProgress = unheard,
    ) -> Uploaded:
        """Send a file, read once; it is under its key only if its SHA-256 is the expected one.

        Args:
            path: A file that nobody writes to.
            key: Any unicode without control characters, at most 1024 bytes in UTF-8.
            size: Its bytes.
            expected_sha256: Of the whole, lower-case hexadecimal.
            metadata: Printable ASCII only; what is not belongs into a sidecar.
            existing: What to do about an object that has the key.
            progress: Hears the bytes of each part that the server has confirmed.

        Raises:
            Permanent: `checksum_mismatch`, `object_differs`, `source_missing`, `source_changed`,
                `object_too_large`.
            Retriable: `upload_raced` when another writer came and went meanwhile.
        """
        plan = plan_parts(size, self.settings.part_size, self.settings.max_parts)
        job = s3_upload.UploadJob(
            self.settings.bucket, key, path, plan, expected_sha256, metadata or {}, existing,
            self.settings.part_concurrency, progress,
        )  # fmt: skip
        with translated(self.settings, f"upload {key!r}"):
            if (there := s3_upload.judge_existing(job, await self._head(key))) is not None:
                return there
            if plan.count > 1:
                await s3_upload.abort_uploads(self._client, job.bucket, key, STALE_UPLOAD)
            done = await s3_upload.send(self._client, job) or s3_upload.judge_existing(
                job, await self._head(key)
            )
            if done is None:
                raise Retriable(
                    "upload_raced", f"another writer of {key!r} came and went", "It is tried again."
                )
            if plan.count > 1:
                await s3_upload.abort_uploads(self._client, job.bucket, key, None)
        return done

    async def put_json(self, key: str, document: object) -> ObjectFacts:
        """Write a small document, canonical (sorted keys, UTF-8), replacing an earlier one."""
        data = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
        with translated(self.settings, f"write {key!r}"):
            await self._client.put_object(
                Bucket=self.settings.bucket,
                Key=key,
                Body=data,
                ContentType="application/json",
                ChecksumCRC64NVME=crc_of(data),
                Metadata={SHA256_KEY: hashlib.sha256(data).hexdigest()},
            )
        facts = await self.head(key)
        if facts is None:
            raise Retriable(
                "upload_raced", f"{key!r} was removed while it was written", "It is written again."
            )
        return facts

    async def get_json(self, key: str) -> Any:  # noqa: ANN401 - a document of any shape; the caller validates it
        """Read a document and check it against the checksum it declares.

        Raises:
            Permanent: `object_missing`, or `checksum_mismatch` when it is damaged or no JSON.
        """
        async with self.open_stream(key) as stream:
            data = b"".join([block async for block in stream])
        declared = stream.facts.sha256
        if declared not in {None, hashlib.sha256(data).hexdigest()}:
            raise _damaged(key, f"its bytes have not the declared SHA-256 {declared}")
        try:
            return json.loads(data)
        except ValueError as error:
            raise _damaged(key, f"it is no JSON: {error}") from error

    async def head(self, key: str) -> ObjectFacts | None:
        """The facts of an object, or None when it is not there.

        Raises:
            Retriable: `bucket_missing`, never mistaken for a missing object.
        """
        with translated(self.settings, f"look at {key!r}"):
            facts = await self._head(key)
        if facts is None:
            await self.check_bucket()
        return facts

    async def prove(
        self, key: str, *, size: int, sha256: str, mode: ProofMode, crc64nvme: str | None = None
    ) -> Proof:
        """Look whether an object is the expected one; a damaged or missing object is an answer, not an error."""
        facts = await self.head(key)
        if facts is None:
            return proof(key, mode, (Verdict.MISSING, "there is no such object"), 0, "")
        if mode is ProofMode.HEAD:
            return proof(key, mode, judge_head(facts, size, sha256, crc64nvme), 0, facts.etag)
        async with self.open_stream(key) as stream:
            digest = s3_download.Digest()
            await s3_download.drain(stream, digest)
        judged = judge_bytes(digest.size, digest.hexdigest, size, sha256)
        return proof(key, mode, judged, digest.size, stream.facts.etag)

    @asynccontextmanager
    async def open_stream(self, key: str) -> AsyncIterator[s3_download.ObjectStream]:
        """The object's bytes as an async iterator of blocks, which goes on after broken connections.

        Raises:
            Permanent: `object_missing`.
            Retriable: `object_changed` when it is replaced while it is read.
        """
        async with s3_download.opened(self._client, self.settings, key) as stream:
            yield stream

    @asynccontextmanager
    async def open_reader(self, key: str) -> AsyncIterator[io.BufferedReader]:
        """The object's bytes as a blocking file for one worker thread, at most about 10 MiB ahead of it.

        Raises:
            Permanent: `object_missing`.
        """
        async with self.open_stream(key) as stream, reading(stream) as file:
            yield file

    async def download_file(
        self, key: str, path: Path, *, size: int, sha256: str, progress: ByteProgress = unheard
    ) -> None:
        """Fetch an object into a file, which has its name only when its size and SHA-256 are right.

        Raises:
            Permanent: `object_missing`, `checksum_mismatch`.
            Retriable: `disk_full`, `object_changed`.
        """
        landing = await asyncio.to_thread(Landing, path)
        try:
            async with self.open_stream(key) as stream:
                await s3_download.drain(stream, lambda blocks: progress(landing.write(blocks)), _WRITE_BATCH)
            if (landing.size, landing.sha256) != (size, sha256):
                raise _damaged(
                    key, f"{landing.size} bytes with SHA-256 {landing.sha256}, expected {size}, {sha256}"
                )
            await asyncio.to_thread(landing.keep)
        finally:
            await asyncio.to_thread(landing.discard)

    async def delete(self, key: str) -> None:
        """Delete an object; one that is not there is deleted already."""
        with translated(self.settings, f"delete {key!r}"):
            await self._client.delete_object(Bucket=self.settings.bucket, Key=key)

    async def list(self, prefix: str = "") -> AsyncIterator[ListedObject]:
        """Yield the objects whose keys begin with `prefix`, in the order of their keys."""
        with translated(self.settings, f"list {prefix!r}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.settings.bucket, Prefix=prefix
            )
            async for page in pages:
                for found in page.get("Contents", []):
                    yield ListedObject(found["Key"], found["Size"], found["ETag"], found["LastModified"])

    async def unfinished(self, prefix: str = "") -> AsyncIterator[str]:
        """Yield the keys of multipart uploads that were neither completed nor aborted."""
        with translated(self.settings, f"list unfinished uploads of {prefix!r}"):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.settings.bucket, Prefix=prefix
            )
            async for page in pages:
                for upload in page.get("Uploads", []):
                    yield upload["Key"]

    async def _head(self, key: str) -> ObjectFacts | None:
        try:
            answer = await self._client.head_object(
                Bucket=self.settings.bucket, Key=key, ChecksumMode="ENABLED"
            )
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        return facts_from(key, answer)

    async def _bucket_exists(self) -> bool:
        try:
            await self._client.head_bucket(Bucket=self.settings.bucket)
        except ClientError as error:
            if http_status(error) == _MISSING:
                return False
            raise
        return True


def _damaged(key: str, what: str) -> Permanent:
    return Permanent(
        "checksum_mismatch", f"{key!r} is damaged: {what}", "Fetch another copy and archive it again."
    )
