"""What the store says about objects: plain facts and outcomes."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Any

SHA256_KEY = "sha256"
"""The user metadata (x-amz-meta-sha256) in which every object we write names its bytes."""


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What the server says about an object without sending it.

    Attributes:
        key: Its name in the bucket.
        size: Bytes.
        etag: The server's tag of this very content, with its quotes.
        modified: When it was written, by the server's clock.
        metadata: User metadata, lower-case names.
        crc64nvme: Base64 of the whole object's CRC-64/NVME, where the server reports one.
    """

    key: str
    size: int
    etag: str
    modified: datetime
    metadata: dict[str, str] = field(default_factory=dict)
    crc64nvme: str | None = None

    @property
    def sha256(self) -> str | None:
        """The checksum its writer declared, if it was one of us."""
        return self.metadata.get(SHA256_KEY)


@dataclass(frozen=True, slots=True)
class ListedObject:
    """One line of a bucket's listing: name, bytes, tag, time of writing."""

    key: str
    size: int
    etag: str
    modified: datetime


class UploadOutcome(Enum):
    """What an upload found."""

    UPLOADED = auto()
    """The bytes were sent, checked by the server part by part, and are under their key."""
    ALREADY_THERE = auto()
    """An object of the same size and declared SHA-256 was there: nothing was read or sent."""
    UNLISTED = auto()
    """So it was, but no listing shows it; and the bytes to send it again, which would mend that, are not here."""


class ExistingObject(Enum):
    """What an upload does about an object that already has the key."""

    KEEP = auto()
    """The same content is left as it is, or sent again if no listing shows it; a different one is never overwritten:
    `object_differs`."""
    REPLACE = auto()
    """Sent again whatever is there: for a copy that a proof by bytes has found damaged."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """An object that is now in the bucket.

    Attributes:
        key: Its name.
        outcome: Whether bytes were sent.
        size: Bytes.
        sha256: Of the whole, hexadecimal.
        etag: The server's tag.
        crc64nvme: Base64 of the whole, computed here while reading; the server's word (or None) if it was
            already there.
        parts: Requests that carried its bytes; 0 if it was already there.
    """

    key: str
    outcome: UploadOutcome
    size: int
    sha256: str
    etag: str
    crc64nvme: str | None
    parts: int


def facts_from(key: str, answer: Any) -> ObjectFacts:  # noqa: ANN401 - HEAD and GET answers share no type
    """Read the facts out of a HEAD answer, or a GET answer of the whole object."""
    whole = answer.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT"
    return ObjectFacts(
        key=key,
        size=answer["ContentLength"],
        etag=answer["ETag"],
        modified=answer["LastModified"],
        metadata={name.lower(): value for name, value in answer.get("Metadata", {}).items()},
        crc64nvme=answer.get("ChecksumCRC64NVME") if whole else None,
    )
