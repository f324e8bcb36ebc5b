"""A bucket and what can be asked of it without moving an object's bytes."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from botocore.exceptions import ClientError

from libs.storage.s3_errors import bucket_missing, error_code, http_status, is_missing, translated
from libs.storage.s3_objects import ListedObject, ObjectFacts, facts_from
from libs.storage.s3_settings import S3Settings, make_client

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_MISSING = 404


class S3Bucket:
    """One bucket, with one shared client. Enter it before use; methods may run side by side."""

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

    async def lists(self, key: str) -> bool:
        """Whether the bucket's listing shows an object; Swift may hold one that it never shows.

        It says that a write has failed (503) when it could not note it down for the listing, on a full disk, but the
        object may be there. What asks for its key finds it, and what goes through the bucket does not.
        """
        with translated(self.settings, f"look for {key!r} in the listing"):
            page = await self._client.list_objects_v2(Bucket=self.settings.bucket, Prefix=key, MaxKeys=1)
        return any(found["Key"] == key for found in page.get("Contents", []))

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
