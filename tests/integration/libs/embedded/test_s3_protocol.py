"""What the embedded S3 server makes of the S3 protocol's checks."""

import base64
import hashlib
import os
import secrets
import zlib
from collections.abc import AsyncIterator
from functools import partial

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError
from types_aiobotocore_s3 import S3Client
from types_aiobotocore_s3.type_defs import CompletedPartTypeDef, ObjectIdentifierTypeDef

from tests.support.servers import TestServers

pytestmark = pytest.mark.integration

PART = 5 * 1024 * 1024
WRONG = {
    "ChecksumCRC32": base64.b64encode(bytes(4)).decode(),
    "ChecksumCRC32C": base64.b64encode(bytes(4)).decode(),
    "ChecksumCRC64NVME": base64.b64encode(bytes(8)).decode(),
    "ChecksumSHA256": base64.b64encode(bytes(32)).decode(),
    "ContentMD5": base64.b64encode(bytes(16)).decode(),
}


@pytest.fixture
async def client(servers: TestServers) -> AsyncIterator[S3Client]:
    async with get_session().create_client(
        "s3",
        endpoint_url=servers.s3_endpoint,
        aws_access_key_id=servers.s3_access_key,
        aws_secret_access_key=servers.s3_secret_key,
        region_name="us-east-1",
        config=AioConfig(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    ) as made:
        yield made


@pytest.fixture
async def bucket(client: S3Client) -> str:
    """A bucket of the test's own."""
    name = f"protocol-{secrets.token_hex(4)}"
    await client.create_bucket(Bucket=name)
    return name


async def read(client: S3Client, bucket: str, key: str) -> bytes:
    return await (await client.get_object(Bucket=bucket, Key=key))["Body"].read()


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_checksum_is_refused(client: S3Client, bucket: str, name: str) -> None:
    with pytest.raises(ClientError, match=r"BadDigest|InvalidDigest"):
        await client.put_object(Bucket=bucket, Key="k", Body=b"data", **{name: WRONG[name]})  # type: ignore[arg-type] # one of several keywords
    assert "Contents" not in await client.list_objects_v2(Bucket=bucket)


async def test_the_right_checksum_is_kept(client: S3Client, bucket: str) -> None:
    checksum = base64.b64encode(zlib.crc32(b"data").to_bytes(4, "big")).decode()
    await client.put_object(Bucket=bucket, Key="k", Body=b"data", ChecksumCRC32=checksum)
    assert await read(client, bucket, "k") == b"data"


async def test_parts_are_checked_and_put_together(client: S3Client, bucket: str) -> None:
    parts = [os.urandom(PART), os.urandom(1000)]
    created = await client.create_multipart_upload(Bucket=bucket, Key="big", ChecksumAlgorithm="SHA256")
    put = partial(client.upload_part, Bucket=bucket, Key="big", UploadId=created["UploadId"])
    with pytest.raises(ClientError, match=r"BadDigest|InvalidDigest"):
        await put(PartNumber=1, Body=parts[0], ChecksumSHA256=WRONG["ChecksumSHA256"])
    done: list[CompletedPartTypeDef] = []
    for number, part in reversed(list(enumerate(parts, start=1))):
        digest = base64.b64encode(hashlib.sha256(part).digest()).decode()
        answer = await put(PartNumber=number, Body=part, ChecksumSHA256=digest)
        done.insert(0, {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": digest})
    await client.complete_multipart_upload(
        Bucket=bucket, Key="big", UploadId=created["UploadId"], MultipartUpload={"Parts": done}
    )
    assert await read(client, bucket, "big") == b"".join(parts)


async def test_an_object_is_not_overwritten_on_request(client: S3Client, bucket: str) -> None:
    await client.put_object(Bucket=bucket, Key="k", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        await client.put_object(Bucket=bucket, Key="k", Body=b"second", IfNoneMatch="*")
    assert await read(client, bucket, "k") == b"first"


async def test_many_are_deleted_at_once(client: S3Client, bucket: str) -> None:
    for number in range(5):
        await client.put_object(Bucket=bucket, Key=f"k/{number}", Body=b"")
    keys: list[ObjectIdentifierTypeDef] = [{"Key": f"k/{number}"} for number in range(5)]
    await client.delete_objects(Bucket=bucket, Delete={"Objects": keys})
    assert "Contents" not in await client.list_objects_v2(Bucket=bucket)
    await client.delete_bucket(Bucket=bucket)
    with pytest.raises(ClientError, match="NoSuchBucket"):
        await client.put_object(Bucket=bucket, Key="k", Body=b"")
