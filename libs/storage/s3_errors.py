"""What S3 servers and the way to them answer, told as our errors.

A missing bucket or wrong credentials are faults of the deployment, not of the object at hand: they are
`Retriable`, so that no package is condemned for them.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from libs.errors import ChasquiError, Permanent, Retriable
from libs.storage.s3_settings import S3Settings

CONNECTION_ERRORS = (BotoCoreError, aiohttp.ClientError, OSError, asyncio.TimeoutError)
"""What a broken way to the server raises: botocore's own, aiohttp's while a body streams, sockets'."""

_BUCKET = "NoSuchBucket"
_BROKEN = "BrokenMPU"
_BUSY = frozenset(
    {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "Throttling", "OperationAborted"}
)


@dataclass(frozen=True, slots=True)
class _Fault:
    """A fault that heals when somebody (or time) does something, and how servers name it."""

    code: str
    remedy: str
    names: frozenset[str]
    statuses: frozenset[int] = frozenset()


_FAULTS = (
    _Fault("bucket_missing", "Create the bucket or correct its name.", frozenset({_BUCKET})),
    _Fault(
        "s3_clock_skew",
        "Set the clock of this machine or of the server.",
        frozenset({"RequestTimeTooSkewed"}),
    ),
    _Fault(
        "s3_full",
        "Give the bucket more room.",
        frozenset({"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull"}),
        frozenset({507}),
    ),
    _Fault(
        "checksum_rejected",
        "Bytes changed on the way; if it happens again, test memory and network.",
        frozenset({"BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "InvalidDigest"}),
    ),
    _Fault(
        "s3_credentials",
        "Correct the access and secret key, or the bucket's policy.",
        frozenset(
            {"InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "ExpiredToken", "InvalidToken"}
        ),
        frozenset({401, 403}),
    ),
    _Fault("s3_busy", "Nothing to do: it is tried again later.", _BUSY, frozenset(range(500, 600))),
)
_HTTP_MISSING = 404
_HTTP_PRECONDITION = frozenset({409, 412})


def error_code(error: ClientError) -> str:
    """The server's name of the error, or the HTTP status as digits where it gave none (HEAD)."""
    return str(error.response.get("Error", {}).get("Code", ""))


def http_status(error: ClientError) -> int:
    """The HTTP status of an error answer, 0 if there was none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_missing(error: ClientError) -> bool:
    """Whether the answer says that there is no such key (or, after HEAD, that something is missing)."""
    return http_status(error) == _HTTP_MISSING and error_code(error) not in {_BUCKET, "NoSuchUpload"}


def is_broken(error: ClientError) -> bool:
    """Whether the server says that it has lost a part of the object: Swift does, of parts that are not what they were.

    A part that the server merely cannot reach is another answer (503).
    """
    return error_code(error) == _BROKEN


def is_precondition(error: ClientError) -> bool:
    """Whether `If-Match` or `If-None-Match` was not met, or a concurrent writer was faster."""
    return error_code(error) in {"PreconditionFailed", "ConditionalRequestConflict", "412"} or (
        http_status(error) in _HTTP_PRECONDITION and error_code(error) not in _BUSY | {_BROKEN}
    )


@contextmanager
def translated(settings: S3Settings, doing: str) -> Iterator[None]:
    """Raise what the S3 client raises inside as one of our errors.

    Args:
        settings: Where the request went; its endpoint and bucket are named in the reason.
        doing: What was tried, such as ``upload 'a/b.tar'``.

    Raises:
        Retriable: `bucket_missing`, `s3_credentials`, `s3_unreachable`, `s3_busy`, `s3_full`,
            `checksum_rejected` or `s3_clock_skew`.
        Permanent: `s3_refused`.
    """
    where = f"{doing} at {settings.endpoint}, bucket {settings.bucket!r}"
    try:
        yield
    except ClientError as error:
        raise _from_answer(error, where) from error
    except ChasquiError:
        raise
    except CONNECTION_ERRORS as error:
        raise unreachable(where, error) from error


def unreachable(where: str, error: BaseException) -> Retriable:
    """The error of a server that does not answer, or whose answer breaks off again and again."""
    return Retriable(
        "s3_unreachable",
        f"{where}: {type(error).__name__}: {error}",
        "Check the endpoint and the network; the work goes on by itself when the server answers.",
    )


def bucket_missing(where: str) -> Retriable:
    """The error of a bucket that is not there, where the server has no words for it (HEAD)."""
    return Retriable("bucket_missing", f"{where}: there is no such bucket", _FAULTS[0].remedy)


def _from_answer(error: ClientError, where: str) -> ChasquiError:
    code, status = error_code(error), http_status(error)
    told = f"{where}: {code} (HTTP {status}): {error.response.get('Error', {}).get('Message', '')}"
    for fault in _FAULTS:
        if code in fault.names or status in fault.statuses:
            return Retriable(fault.code, told, fault.remedy)
    return Permanent(
        "s3_refused", told, "Look up the server's code; the same request would be refused again."
    )
