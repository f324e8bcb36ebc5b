"""Multipart uploads that nobody goes on with: their parts are kept, and paid for, until somebody aborts them.

Whoever sends a package sends a part every few seconds, or its handler is stopped within minutes. So an upload is left
over when it was begun, and its last part was sent, long ago, by the server's own clock. A paused process that wakes
after that finds its upload gone, as it does when a successor has aborted it (`libs.storage.s3_upload`).
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from libs.storage.s3_errors import is_missing
from libs.storage.s3_upload import abort

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A multipart upload that was neither completed nor aborted.

    Attributes:
        key: What it was to become.
        upload_id: Tells it from others of that key.
        initiated: When it was begun, by the server's clock.
        last_part: When its last part came, by the same; None if it has none.
        asked: When the server told so, by the same.
    """

    key: str
    upload_id: str
    initiated: datetime
    last_part: datetime | None
    asked: datetime

    def is_stale(self, older_than: timedelta) -> bool:
        """Whether nothing has happened to it for so long."""
        return self.asked - max(self.initiated, self.last_part or self.initiated) >= older_than


async def abort_stale(client: "S3Client", bucket: str, older_than: timedelta) -> list[Unfinished]:
    """Abort the uploads of a bucket to which nothing has happened for so long; returns them.

    Args:
        client: Where.
        bucket: Its bucket.
        older_than: Longer than any living process is silent.
    """
    stale = [one async for one in unfinished(client, bucket) if one.is_stale(older_than)]
    for one in stale:
        await abort(client, bucket, one.key, one.upload_id)
    return stale


async def unfinished(client: "S3Client", bucket: str) -> AsyncIterator[Unfinished]:
    """Yield the multipart uploads of a bucket that were neither completed nor aborted."""
    async for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            try:
                found = await _looked_at(
                    client, bucket, upload["Key"], upload["UploadId"], upload["Initiated"]
                )
            except ClientError as error:
                if not is_missing(error):  # completed or aborted meanwhile
                    raise
            else:
                yield found


async def _looked_at(
    client: "S3Client", bucket: str, key: str, upload_id: str, initiated: datetime
) -> Unfinished:
    last: datetime | None = None
    asked = initiated
    pages = client.get_paginator("list_parts").paginate(Bucket=bucket, Key=key, UploadId=upload_id)
    async for page in pages:
        asked = _told_at(page, asked)
        for part in page.get("Parts", []):
            last = max(last or part["LastModified"], part["LastModified"])
    return Unfinished(key, upload_id, initiated, last, asked)


def _told_at(answer: Any, otherwise: datetime) -> datetime:  # noqa: ANN401 - what all answers have in common
    """By the server's clock; a server that does not tell it lets nothing grow old."""
    told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(told) if told else otherwise
