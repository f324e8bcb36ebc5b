"""What has a breaker, and which faults are its own."""

from dataclasses import dataclass

S3_FAULTS = frozenset(
    {"s3_unreachable", "s3_busy", "s3_full", "s3_credentials", "s3_clock_skew", "bucket_missing"}
)
DISK_FAULTS = frozenset({"location_missing", "storage_unavailable", "disk_full"})
ROUTE_FAULTS = frozenset({"io_error", "location_missing", "route_unreachable"})


@dataclass(frozen=True, slots=True)
class Resource:
    """A storage location or a route.

    Attributes:
        key: Names its breaker in the bucket.
        faults: Codes of Retriable problems that are its own.
    """

    key: str
    faults: frozenset[str]


def archive(location: str) -> Resource:
    """A location on S3."""
    return Resource(f"location.{location}", S3_FAULTS)


def disk(location: str) -> Resource:
    """A location on disk."""
    return Resource(f"location.{location}", DISK_FAULTS)


def room(location: str) -> Resource:
    """A location on disk at the other end of a route: only that it is full is its own fault there."""
    return Resource(f"location.{location}", frozenset({"disk_full"}))


def route(name: str) -> Resource:
    """A way between sites: whatever keeps bytes from arriving, but for a full disk there."""
    return Resource(f"route.{name}", ROUTE_FAULTS)
