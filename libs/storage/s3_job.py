"""One upload as decided: what goes where, and what becomes of an object that is there already."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypedDict

from libs.errors import Permanent
from libs.storage.base import ByteProgress
from libs.storage.s3_objects import SHA256_KEY, ExistingObject, ObjectFacts, Uploaded, UploadOutcome
from libs.storage.s3_parts import PartPlan

STALE_UPLOAD = timedelta(hours=6)
"""Age at which an unfinished multipart upload of a key is taken for a dead one."""


SOURCE_FAULTS = frozenset({"checksum_mismatch", "source_changed", "source_missing"})
"""Codes with which an upload says that the file it read is not what it was to send."""


class Condition(TypedDict, total=False):
    """The request header that lets a write succeed only where nothing is yet."""

    IfNoneMatch: str


@dataclass(frozen=True, slots=True)
class UploadJob:
    """One upload, decided: what, where to, how cut, and what to do about an object that is there."""

    bucket: str
    key: str
    path: Path
    plan: PartPlan
    sha256: str
    metadata: Mapping[str, str]
    existing: ExistingObject
    concurrency: int
    progress: ByteProgress

    @property
    def user_metadata(self) -> dict[str, str]:
        """The caller's metadata with our checksum added."""
        return {**self.metadata, SHA256_KEY: self.sha256}

    @property
    def condition(self) -> Condition:
        """The header that keeps a different object from being overwritten."""
        return {"IfNoneMatch": "*"} if self.existing is ExistingObject.KEEP else {}


def judge_existing(job: UploadJob, found: ObjectFacts | None) -> Uploaded | None:
    """Decide about what already has the key: None means send it.

    Raises:
        Permanent: `object_differs`.
    """
    if found is None or job.existing is ExistingObject.REPLACE:
        return None
    if found.size == job.plan.size and found.sha256 == job.sha256:
        return Uploaded(
            job.key, UploadOutcome.ALREADY_THERE, found.size, job.sha256, found.etag, found.crc64nvme, parts=0
        )
    raise object_differs(job.bucket, found, job.plan.size, job.sha256)


def object_differs(bucket: str, found: ObjectFacts, size: int, sha256: str) -> Permanent:
    """The error of a key that holds something else."""
    return Permanent(
        "object_differs",
        f"{found.key!r} in {bucket!r} already holds {found.size} bytes with SHA-256 {found.sha256}, "
        f"not {size} bytes with {sha256}",
        "Find out which of the two is right; nothing was overwritten.",
    )


def abort_age(job: UploadJob, done: Uploaded) -> timedelta | None:
    """How old an unfinished upload of the key must be to be aborted afterwards; None for any age.

    Where the object was just made by an upload that overwrites nothing, every other one can only fail. In
    the other cases one that replaces it may be under way: on Swift, which neither completes nor aborts in
    one step, aborting it at its very end could take away its bytes.
    """
    fresh = done.outcome is UploadOutcome.UPLOADED and job.existing is ExistingObject.KEEP
    return None if fresh else STALE_UPLOAD
