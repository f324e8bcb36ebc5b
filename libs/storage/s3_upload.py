"""A file into a bucket: read once, checked part by part, under its key only when the whole is right.

Invariants:
    1. The object appears under its key only if the SHA-256 of the bytes read is the expected one.
    2. Whatever ends an upload early (error, cancellation) aborts its multipart; what a kill leaves behind,
       the next upload of the same key aborts once the key is there (`abort_age`).
    3. Memory: `part_concurrency` buffers of one part each.
    4. An object that differs is never overwritten unless the caller says so.
    5. Who was paused and overtaken begins no part and completes nothing more, and aborts its own upload; its
       successor has aborted it, too. What is left: a pause between the last look and the completion. The completion
       then fails, for the upload is gone or the key is taken; where it replaces, it brings the very same bytes.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from libs.bus import fencing
from libs.errors import ChasquiError, Permanent
from libs.groups import TaskGroup
from libs.storage.s3_errors import error_code, is_missing, is_precondition
from libs.storage.s3_job import UploadJob
from libs.storage.s3_objects import ExistingObject, Uploaded, UploadOutcome
from libs.storage.s3_parts import PartBody, PartSource

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef

_ABORT_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class ReadPart:
    """One part in memory: its number from 1, its body for botocore, and its CRC-64 as S3 writes it."""

    number: int
    body: Any
    crc: str


async def send(client: "S3Client", job: UploadJob) -> Uploaded | None:
    """Send the file; None means that another writer was faster and the key must be judged again.

    Raises:
        Permanent: `checksum_mismatch`, `source_missing` or `source_changed`.
    """
    async with AsyncExitStack() as stack:
        source = await asyncio.to_thread(PartSource, job.path, job.plan.size)
        stack.push_async_callback(asyncio.to_thread, source.close)
        try:
            if job.plan.count == 1:
                return await _send_whole(client, job, source)
            return await _send_parts(client, job, source)
        except ClientError as error:
            if _was_overtaken(job, error):
                return None
            raise


def _was_overtaken(job: UploadJob, error: ClientError) -> bool:
    """Whether another upload of the key was completed first: it stands there, or it has aborted this one.

    While an upload is being aborted, Swift says `NoSuchKey` of its parts before it says `NoSuchUpload`.
    """
    if error_code(error) in {"NoSuchUpload", "InvalidPart"} or is_missing(error):
        return True
    return job.existing is ExistingObject.KEEP and is_precondition(error)


async def abort_uploads(client: "S3Client", bucket: str, key: str, older_than: timedelta | None) -> int:
    """Abort the multipart uploads of exactly this key; return how many.

    Args:
        client: Where.
        bucket: Its bucket.
        key: The whole key; longer keys that begin with it are left alone.
        older_than: Age by the server's clock, which may round up to seconds; None aborts every one.
    """
    before = None if older_than is None else datetime.now(UTC) - older_than
    aborted = 0
    pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=key)
    async for page in pages:
        for upload in page.get("Uploads", []):
            if upload["Key"] == key and (before is None or upload["Initiated"] <= before):
                await abort(client, bucket, key, upload["UploadId"])
                aborted += 1
    return aborted


async def _send_whole(client: "S3Client", job: UploadJob, source: PartSource) -> Uploaded:
    buffer = bytearray(job.plan.size)
    await asyncio.to_thread(source.read, buffer, job.plan.size)
    crc = await _proven_crc(job, source)
    fencing.check()
    answer = await client.put_object(
        Bucket=job.bucket,
        Key=job.key,
        Body=_body(buffer, job.plan.size),
        ChecksumCRC64NVME=crc,
        Metadata=job.user_metadata,
        **job.condition,
    )
    job.progress(job.plan.size)
    return Uploaded(job.key, UploadOutcome.UPLOADED, job.plan.size, job.sha256, answer["ETag"], crc, parts=1)


async def _send_parts(client: "S3Client", job: UploadJob, source: PartSource) -> Uploaded:
    created = await client.create_multipart_upload(
        Bucket=job.bucket,
        Key=job.key,
        Metadata=job.user_metadata,
        ChecksumAlgorithm="CRC64NVME",
        ChecksumType="FULL_OBJECT",
    )
    upload_id = created["UploadId"]
    try:
        parts = await _pump(client, job, source, upload_id)
        crc = await _proven_crc(job, source)
        fencing.check()
        answer = await client.complete_multipart_upload(
            Bucket=job.bucket,
            Key=job.key,
            UploadId=upload_id,
            MultipartUpload={"Parts": parts},
            ChecksumType="FULL_OBJECT",
            ChecksumCRC64NVME=crc,
            **job.condition,
        )
    except BaseException:
        await asyncio.shield(abort(client, job.bucket, job.key, upload_id))
        raise
    return Uploaded(
        job.key, UploadOutcome.UPLOADED, job.plan.size, job.sha256, answer["ETag"], crc, parts=job.plan.count
    )


async def _pump(
    client: "S3Client", job: UploadJob, source: PartSource, upload_id: str
) -> "list[CompletedPartTypeDef]":
    """Read parts one after the other and send them side by side, while a buffer is free."""
    width = min(job.concurrency, job.plan.count)
    free: asyncio.Queue[bytearray] = asyncio.Queue()
    for _ in range(width):
        free.put_nowait(bytearray(job.plan.part_size))
    sent: list[asyncio.Task[CompletedPartTypeDef]] = []
    try:
        async with TaskGroup() as group:
            for index in range(job.plan.count):
                buffer = await free.get()
                fencing.check()
                length = job.plan.length(index)
                crc = await asyncio.to_thread(source.read, buffer, length)
                part = ReadPart(index + 1, _body(buffer, length), crc)
                give_back = partial(free.put_nowait, buffer)
                sent.append(group.create_task(_send_then_free(client, job, upload_id, part, give_back)))
    except BaseExceptionGroup as group_error:
        raise first_error(group_error) from group_error
    return [task.result() for task in sent]


async def _send_then_free(
    client: "S3Client", job: UploadJob, upload_id: str, part: ReadPart, give_back: Callable[[], None]
) -> "CompletedPartTypeDef":
    try:
        answer = await client.upload_part(
            Bucket=job.bucket,
            Key=job.key,
            UploadId=upload_id,
            PartNumber=part.number,
            Body=part.body,
            ChecksumCRC64NVME=part.crc,
        )
    finally:
        give_back()
    job.progress(job.plan.length(part.number - 1))
    return {"PartNumber": part.number, "ETag": answer["ETag"], "ChecksumCRC64NVME": part.crc}


async def _proven_crc(job: UploadJob, source: PartSource) -> str:
    sha256, crc = await asyncio.to_thread(source.finish)
    if sha256 != job.sha256:
        raise Permanent(
            "checksum_mismatch",
            f"{job.path} has SHA-256 {sha256}, expected {job.sha256}",
            "The file was damaged after it was sealed: ask for it again from where it came.",
        )
    return crc


async def abort(client: "S3Client", bucket: str, key: str, upload_id: str) -> None:
    """Abort until the server no longer knows the upload: a part that was just arriving may outlive one try."""
    for _ in range(_ABORT_ROUNDS):
        try:
            await client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
        except ClientError as error:
            if error_code(error) == "NoSuchUpload":
                return
            if not is_missing(error):  # somebody else aborts it at the same time and was faster at a part
                raise


def _body(buffer: bytearray, length: int) -> Any:  # noqa: ANN401 - botocore takes what has read, seek and tell
    return PartBody(memoryview(buffer)[:length]) if length else b""


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended a task group; one of ours is preferred, for it says what to do."""
    flat: list[BaseException] = []
    pending: list[BaseException] = [group]
    while pending:
        error = pending.pop()
        if isinstance(error, BaseExceptionGroup):
            pending.extend(error.exceptions)
        else:
            flat.append(error)
    return next((error for error in flat if isinstance(error, ChasquiError)), flat[-1])
