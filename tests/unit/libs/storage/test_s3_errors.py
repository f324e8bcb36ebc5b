import pytest
from aiohttp import ClientPayloadError
from botocore.exceptions import ClientError, EndpointConnectionError

from libs.errors import ChasquiError, Permanent, Retriable
from libs.storage.s3_errors import is_broken, is_precondition, translated
from libs.storage.s3_settings import S3Settings

SETTINGS = S3Settings(
    endpoint="http://127.0.0.1:1", bucket="bucket", access_key="a", secret_key="very-secret"
)


def answer(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")  # type: ignore[typeddict-item] # the rest of the metadata says nothing here


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (answer("NoSuchBucket", 404), Retriable, "bucket_missing"),
        (answer("SignatureDoesNotMatch", 403), Retriable, "s3_credentials"),
        (answer("403", 403), Retriable, "s3_credentials"),
        (answer("RequestTimeTooSkewed", 403), Retriable, "s3_clock_skew"),
        (answer("SlowDown", 503), Retriable, "s3_busy"),
        (answer("502", 502), Retriable, "s3_busy"),
        (answer("InsufficientStorage", 507), Retriable, "s3_full"),
        (answer("BadDigest", 400), Retriable, "checksum_rejected"),
        (answer("MalformedXML", 400), Permanent, "s3_refused"),
        (EndpointConnectionError(endpoint_url="http://x"), Retriable, "s3_unreachable"),
        (ClientPayloadError("cut"), Retriable, "s3_unreachable"),
        (ConnectionResetError(), Retriable, "s3_unreachable"),
        (TimeoutError(), Retriable, "s3_unreachable"),
    ],
)
def test_what_servers_say(error: Exception, kind: type[ChasquiError], code: str) -> None:
    with pytest.raises(kind) as caught, translated(SETTINGS, "try"):
        raise error
    assert caught.value.problem.code == code
    assert "bucket" in caught.value.problem.reason


def test_a_broken_object_is_no_changed_one() -> None:
    """Swift says 409 of an object whose part is lost, as others do of a write that came too late."""
    assert is_broken(answer("BrokenMPU", 409))
    assert not is_precondition(answer("BrokenMPU", 409))
    assert is_precondition(answer("ConditionalRequestConflict", 409))
    assert not is_broken(answer("ServiceUnavailable", 503))


def test_our_own_errors_pass() -> None:
    with pytest.raises(Permanent) as caught, translated(SETTINGS, "try"):
        raise Permanent("mine", "reason", "remedy")
    assert caught.value.problem.code == "mine"


def test_programming_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError), translated(SETTINGS, "try"):
        raise ZeroDivisionError


def test_the_secret_is_never_shown() -> None:
    assert "very-secret" not in repr(SETTINGS)
