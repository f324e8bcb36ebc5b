"""A bucket on an S3 server as a place for files, with one shared client.

async with S3Store(settings) as store:
    await store.upload_file(path, "packages/a.tar", size=..., expected_sha256=...)
    (await store.prove("packages/a.tar", size=..., sha256=..., mode=ProofMode.BYTES)).require()
"""

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from libs.errors import Permanent, Retriable
from libs.storage import s3_download, s3_upload
from libs.storage.base import ByteProgress, unheard
from libs.storage.landing import Landing
from libs.storage.s3_bucket import S3Bucket
from libs.storage.s3_errors import is_precondition, translated
from libs.storage.s3_job import SOURCE_FAULTS, UploadJob, abort_age, judge_existing, object_differs
from libs.storage.s3_objects import SHA256_KEY, ExistingObject, ObjectFacts, Uploaded, UploadOutcome
from libs.storage.s3_parts import crc_of, plan_parts
from libs.storage.s3_proof import Proof, ProofMode, Verdict, judge_bytes, judge_head, proof
from libs.storage.s3_reader import reading
from libs.storage.s3_stale import Unfinished, abort_stale
from libs.telemetry.logs import logger

_WRITE_BATCH = 4 << 20
_LOST = {"object_missing": Verdict.MISSING, "object_broken": Verdict.BROKEN}
"""What a reading that ends so says of the object: it was removed meanwhile (Swift puts damaged ones aside), or ..."""

log = logger("storage")


class S3Store(S3Bucket):
    """Objects of one bucket. Enter it before use; methods may run side by side.

    Every method raises, besides what it names, `Retriable` `s3_unreachable`, `s3_busy`, `s3_credentials`,
    `bucket_missing`, `s3_full`, `s3_clock_skew`, `checksum_rejected`, and `Permanent` `s3_refused`.
    """

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
        job = UploadJob(
            self.settings.bucket, key, path, plan, expected_sha256, metadata or {}, existing,
            self.settings.part_concurrency, progress,
        )  # fmt: skip
        with translated(self.settings, f"upload {key!r}"):
            done = judge_existing(job, await self._head(key)) or await self._send(job)
            if done.outcome is UploadOutcome.ALREADY_THERE and not await self.lists(key):
                done = await self._send_again(job, done)
            if plan.count > 1:
                await s3_upload.abort_uploads(self._client, job.bucket, key, abort_age(job, done))
        return done

    async def _send(self, job: UploadJob) -> Uploaded:
        done = await s3_upload.send(self._client, job) or judge_existing(job, await self._head(job.key))
        if done is None:
            raise Retriable(
                "upload_raced", f"another writer of {job.key!r} came and went", "It is tried again."
            )
        return done

    async def _send_again(self, job: UploadJob, found: Uploaded) -> Uploaded:
        """Send what is there, but in no listing; as it is the same bytes, nothing is overwritten that was another's."""
        try:
            done = await self._send(replace(job, existing=ExistingObject.REPLACE))
        except Permanent as error:
            if error.problem.code not in SOURCE_FAULTS:
                raise
            done = replace(found, outcome=UploadOutcome.UNLISTED)
        log.warning("unlisted", bucket=job.bucket, key=job.key, outcome=done.outcome.name.lower())
        return done

    async def abort_stale(self, older_than: timedelta) -> Sequence[Unfinished]:
        """Abort the multipart uploads to which nothing has happened for so long; returns them.

        Args:
            older_than: Longer than any living process is silent, by the server's clock.
        """
        with translated(self.settings, "abort unfinished uploads"):
            return await abort_stale(self._client, self.settings.bucket, older_than)

    async def put_json(
        self, key: str, document: object, *, existing: ExistingObject = ExistingObject.REPLACE
    ) -> ObjectFacts:
        """Write a small document, canonical (sorted keys, UTF-8), replacing an earlier one.

        Args:
            key: Its key.
            document: What it says.
            existing: KEEP leaves one alone that declares the same bytes; REPLACE writes it anew, too.
        """
        data = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
        try:
            await self.put_bytes(key, data, existing=existing, content_type="application/json")
        except Permanent as error:
            if error.problem.code != "object_differs":
                raise
            await self.put_bytes(key, data, existing=ExistingObject.REPLACE, content_type="application/json")
        facts = await self.head(key)
        if facts is None:
            raise Retriable(
                "upload_raced", f"{key!r} was removed while it was written", "It is written again."
            )
        return facts

    async def put_bytes(
        self,
        key: str,
        data: bytes,
        *,
        existing: ExistingObject = ExistingObject.KEEP,
        content_type: str = "application/octet-stream",
    ) -> UploadOutcome:
        """Write a small object in one request, with its checksums.

        Raises:
            Permanent: `object_differs` when it is to be kept and is another one.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        send = partial(
            self._client.put_object,
            Bucket=self.settings.bucket,
            Key=key,
            Body=data,
            ContentType=content_type,
            ChecksumCRC64NVME=crc_of(data),
            Metadata={SHA256_KEY: sha256},
        )
        with translated(self.settings, f"write {key!r}"):
            if existing is ExistingObject.KEEP:
                try:
                    await send(IfNoneMatch="*")
                except ClientError as error:
                    if not is_precondition(error):
                        raise
                    await self._require_same(key, len(data), sha256)
                    if await self.lists(key):
                        return UploadOutcome.ALREADY_THERE
                    log.warning("unlisted", bucket=self.settings.bucket, key=key, outcome="uploaded")
                else:
                    return UploadOutcome.UPLOADED
            await send()
        return UploadOutcome.UPLOADED

    async def _require_same(self, key: str, size: int, sha256: str) -> None:
        found = await self._head(key)
        if found is None:
            raise Retriable("upload_raced", f"another writer of {key!r} came and went", "It is tried again.")
        if (found.size, found.sha256) != (size, sha256):
            raise object_differs(self.settings.bucket, found, size, sha256)

    async def get_bytes(self, key: str, *, most: int) -> bytes:
        """Read an object into memory.

        Args:
            key: The object.
            most: The largest size that is taken into memory.

        Raises:
            Permanent: `object_missing`, or `object_too_large`.
        """
        async with self.open_stream(key) as stream:
            if stream.facts.size > most:
                raise Permanent(
                    "object_too_large",
                    f"{key!r} has {stream.facts.size} bytes, more than the {most} that are taken into memory",
                    "Find out who wrote it.",
                )
            return b"".join([block async for block in stream])

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

    async def prove(
        self, key: str, *, size: int, sha256: str, mode: ProofMode, crc64nvme: str | None = None
    ) -> Proof:
        """Look whether an object is the expected one; a damaged or missing object is an answer, not an error."""
        facts = await self.head(key)
        if facts is None:
            return proof(key, mode, (Verdict.MISSING, "there is no such object"), 0, "")
        if mode is ProofMode.HEAD:
            return proof(key, mode, judge_head(facts, size, sha256, crc64nvme), 0, facts.etag)
        digest = s3_download.Digest()
        try:
            async with self.open_stream(key) as stream:
                await s3_download.drain(stream, digest)
        except Permanent as lost:
            if lost.problem.code not in _LOST:
                raise
            judged = _LOST[lost.problem.code], lost.problem.reason
        else:
            judged = judge_bytes(digest.size, digest.hexdigest, size, sha256)
        return proof(key, mode, judged, digest.size, facts.etag)

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


def _damaged(key: str, what: str) -> Permanent:
    return Permanent(
        "checksum_mismatch", f"{key!r} is damaged: {what}", "Fetch another copy and archive it again."
    )
