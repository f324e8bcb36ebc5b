"""Where a bucket is and how to talk to it, and the one place that makes clients."""

from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.loaders import Loader, create_loader
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from libs.storage.s3_patience import PatientSession, telling_retries

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

MIB = 1 << 20


class Addressing(StrEnum):
    """Where the bucket's name stands in a request."""

    PATH = "path"
    """In the path: works with every server and with IP addresses."""
    VIRTUAL = "virtual"
    """In the host name, as AWS prefers it."""


class S3Settings(BaseModel):
    """One bucket of one S3 server.

    Attributes:
        endpoint: Address with scheme, such as `https://s3.example.org`.
        bucket: Its name, 3 to 63 characters.
        access_key: The public half of the credentials.
        secret_key: The secret half; never printed.
        region: What the server was told; `us-east-1` for most that are not AWS.
        addressing: Path or virtual hosts.
        connections: Requests that may be on their way at once.
        part_size: Bytes of a part, and the largest object sent in one request; more for huge objects.
        max_parts: Parts the server takes for one object.
        part_concurrency: Parts of one object in memory and on their way at once.
        connect_seconds: Longest wait for a connection.
        read_seconds: Longest silence: before an answer, within it, and while a body is sent.
        attempts: Tries of one request, and of one broken download without any progress.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str = Field(pattern=r"^https?://")
    bucket: str = Field(min_length=3, max_length=63)
    access_key: str
    secret_key: SecretStr
    region: str = "us-east-1"
    addressing: Addressing = Addressing.PATH
    connections: int = Field(default=16, ge=1)
    part_size: int = Field(default=16 * MIB, ge=5 * MIB)
    max_parts: int = Field(default=10_000, ge=1, le=10_000)
    part_concurrency: int = Field(default=4, ge=1, le=64)
    connect_seconds: float = Field(default=5.0, gt=0)
    read_seconds: float = Field(default=60.0, gt=0)
    attempts: int = Field(default=4, ge=1)


def make_client(settings: S3Settings) -> "AbstractAsyncContextManager[S3Client]":
    """Return a client, to be entered. Every body we send carries a checksum that we computed.

    So botocore neither hashes bodies a second time to sign them (on the event loop) nor wraps them in
    `aws-chunked` with a trailing checksum, which older servers do not know.
    """
    config = AioConfig(
        signature_version="s3v4",
        s3={"addressing_style": settings.addressing.value, "payload_signing_enabled": False},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        max_pool_connections=settings.connections,
        connect_timeout=settings.connect_seconds,
        read_timeout=settings.read_seconds,
        retries={"mode": "standard", "total_max_attempts": settings.attempts},
        http_session_cls=PatientSession,
    )
    session = get_session()
    session.register_component("data_loader", _service_models())
    session.register("needs-retry.s3", telling_retries(settings.endpoint, settings.attempts))
    return session.create_client(
        "s3",
        endpoint_url=settings.endpoint,
        region_name=settings.region,
        aws_access_key_id=settings.access_key,
        aws_secret_access_key=settings.secret_key.get_secret_value(),
        config=config,
    )


@cache
def _service_models() -> Loader:
    """The botocore descriptions of S3, parsed once a process: that takes longer than most requests."""
    return create_loader()
