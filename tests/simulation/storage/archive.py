"""An archive: objects under keys, as `libs.storage.s3.S3Store` shows them; its decisions are the real ones."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from libs.errors import Permanent, Retriable
from libs.packaging.faults import storage_errors
from libs.storage.base import ByteProgress, unheard
from libs.storage.files import source_missing
from libs.storage.s3_job import UploadJob, judge_existing
from libs.storage.s3_objects import (
    SHA256_KEY,
    ExistingObject,
    ListedObject,
    ObjectFacts,
    Uploaded,
    UploadOutcome,
)
from libs.storage.s3_parts import plan_parts
from libs.storage.s3_proof import Proof, ProofMode, Verdict, judge_bytes, judge_head, proof
from libs.storage.s3_settings import S3Settings
from libs.storage.s3_stale import Unfinished
from tests.simulation.active import world
from tests.simulation.chaos import Fault
from tests.simulation.storage.bags import Streamed
from tests.simulation.storage.contents import Content, Written, sha256_of
from tests.simulation.storage.paths import place_of


@dataclass(frozen=True)
class StoredObject:
    """An object.

    Attributes:
        version: Counts the writes of the archive; makes the etag.
    """

    content: Content
    size: int
    metadata: Mapping[str, str]
    modified: datetime
    version: int


@dataclass
class Archive:
    """A bucket.

    Attributes:
        location: The data location it is.
        up: Whether it answers.
    """

    location: str
    site: str
    up: bool = True
    objects: dict[str, StoredObject] = field(default_factory=dict)
    writes: int = 0

    def put(self, key: str, content: Content, size: int, metadata: Mapping[str, str], now: datetime) -> None:
        """Store an object, replacing what has the key."""
        self.writes += 1
        self.objects[key] = StoredObject(content, size, dict(metadata), now, self.writes)

    def spoil(self, key: str, content: Content) -> None:
        """Change an object's bytes; what the server says of it stays."""
        self.objects[key] = replace(self.objects[key], content=content)


class SimulatedStore:
    """What a service sees of an archive; stands in for `S3Store`."""

    def __init__(self, settings: S3Settings) -> None:
        self.settings = settings

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""

    @property
    def _archive(self) -> Archive:
        return world().archives[self.settings.bucket]

    async def check_bucket(self) -> None:
        """As `S3Bucket.check_bucket`."""
        await self._asked("look for the bucket")

    async def head(self, key: str) -> ObjectFacts | None:
        """As `S3Bucket.head`."""
        await self._asked(f"look at {key}")
        return self._facts(key)

    async def upload_file(
        self,
        path: Path,
        key: str,
        *,
        size: int,
        expected_sha256: str,
        metadata: Mapping[str, str] | None = None,
        existing: ExistingObject = ExistingObject.KEEP,
        progress: ByteProgress = unheard,
    ) -> Uploaded:
        """As `S3Store.upload_file`."""
        job = UploadJob(
            self.settings.bucket, key, path, plan_parts(size, self.settings.part_size, self.settings.max_parts),
            expected_sha256, metadata or {}, existing, 1, progress,
        )  # fmt: skip
        await self._asked(f"look at {key}")
        there = judge_existing(job, self._facts(key))
        if there is not None:
            return there
        content = self._read(job, size)
        await self._asked(f"upload {key}")
        there = judge_existing(job, self._facts(key))  # the server refuses to overwrite: If-None-Match
        if there is not None:
            return there
        content = world().in_transit(content, f"upload of {key}")
        if sha256_of(content) != expected_sha256:
            raise Retriable(
                "checksum_rejected", f"{key}: the server counts another checksum", "It is sent again."
            )
        self._archive.put(key, content, size, job.user_metadata, world().wall_clock(self._archive.site))
        world().archived(self._archive, key)
        await self._answered(f"upload {key}")
        return Uploaded(key, UploadOutcome.UPLOADED, size, expected_sha256, self._etag(key), None, parts=1)

    async def abort_stale(self, _older_than: timedelta) -> Sequence[Unfinished]:
        """As `S3Store.abort_stale`: an upload is one step here, and leaves nothing."""
        return ()

    async def put_json(
        self, key: str, document: object, *, existing: ExistingObject = ExistingObject.REPLACE
    ) -> ObjectFacts:
        """As `S3Store.put_json`."""
        await self._asked(f"write {key}")
        content = Written(json.dumps(document, sort_keys=True))
        now, there = world().wall_clock(self._archive.site), self._facts(key)
        if existing is ExistingObject.REPLACE or there is None or there.sha256 != sha256_of(content):
            self._archive.put(key, content, len(content.name), {SHA256_KEY: sha256_of(content)}, now)
        await self._answered(f"write {key}")
        facts = self._facts(key)
        assert facts is not None
        return facts

    async def prove(
        self, key: str, *, size: int, sha256: str, mode: ProofMode, crc64nvme: str | None = None
    ) -> Proof:
        """As `S3Store.prove`."""
        await self._asked(f"look at {key}")
        facts = self._facts(key)
        if facts is None:
            return proof(key, mode, (Verdict.MISSING, "there is no such object"), 0, "")
        if mode is ProofMode.HEAD:
            return proof(key, mode, judge_head(facts, size, sha256, crc64nvme), 0, facts.etag)
        await self._asked(f"read {key}")
        found = self._archive.objects[key]
        judged = judge_bytes(found.size, sha256_of(found.content), size, sha256)
        return proof(key, mode, judged, found.size, facts.etag)

    @asynccontextmanager
    async def open_reader(self, key: str) -> AsyncIterator[Streamed]:
        """As `S3Store.open_reader`."""
        await self._asked(f"read {key}")
        found = self._archive.objects.get(key)
        if found is None:
            raise Permanent("object_missing", f"{key!r} is not there", "Find out who removed it.")
        yield Streamed(key, found.content, found.size)

    async def download_file(
        self, key: str, path: Path, *, size: int, sha256: str, progress: ByteProgress = unheard
    ) -> None:
        """As `S3Store.download_file`."""
        await self._asked(f"read {key}")
        found = self._archive.objects.get(key)
        if found is None:
            raise Permanent("object_missing", f"{key!r} is not there", "Find out who removed it.")
        content = world().in_transit(found.content, f"download of {key}")
        if (found.size, sha256_of(content)) != (size, sha256):
            raise Permanent("checksum_mismatch", f"{key!r} is damaged", "Fetch another copy.")
        disk, name = place_of(path)
        with storage_errors(path.parent):
            disk.make_folder(name.rpartition("/")[0])
            disk.put(name, content, size, mtime_ns=world().wall_ns(disk.site), now=world().wall(disk.site))

    async def get_json(self, key: str) -> Any:
        """As `S3Store.get_json`."""
        await self._asked(f"read {key}")
        found = self._archive.objects.get(key)
        if found is None:
            raise Permanent("object_missing", f"{key!r} is not there", "Find out who removed it.")
        if not isinstance(found.content, Written):
            raise Permanent("checksum_mismatch", f"{key!r} is damaged", "Fetch it from another copy.")
        return json.loads(found.content.name)

    async def delete(self, key: str) -> None:
        """As `S3Bucket.delete`."""
        await self._asked(f"delete {key}")
        self._archive.objects.pop(key, None)
        await self._answered(f"delete {key}")

    async def list(self, prefix: str = "") -> AsyncIterator[ListedObject]:
        """As `S3Bucket.list`."""
        await self._asked(f"list {prefix}")
        for key, found in sorted(self._archive.objects.items()):
            if key.startswith(prefix):
                yield ListedObject(key, found.size, self._etag(key), found.modified)

    def _read(self, job: UploadJob, size: int) -> Content:
        disk, path = place_of(job.path)
        node = disk.find(path) if world().reaches(disk) else None
        if node is None:
            raise source_missing(job.path)
        if node.size != size:
            raise Permanent(
                "source_changed", f"{job.path} has {node.size} bytes", "Find out who writes to it."
            )
        if sha256_of(node.content) != job.sha256:
            raise Permanent(
                "checksum_mismatch", f"{job.path} has another SHA-256", "Fetch it again from a verified copy."
            )
        return node.content

    def _facts(self, key: str) -> ObjectFacts | None:
        found = self._archive.objects.get(key)
        if found is None:
            return None
        return ObjectFacts(key, found.size, self._etag(key), found.modified, dict(found.metadata))

    def _etag(self, key: str) -> str:
        return f'"{self._archive.objects[key].version}"'

    async def _asked(self, what: str) -> None:
        """The request is at the server."""
        await world().trip(f"{what} in {self._archive.location}")
        self._require_answer(what)

    async def _answered(self, what: str) -> None:
        """The server has done it."""
        await world().arrived(f"{what} in {self._archive.location}")
        self._require_answer(what)

    def _require_answer(self, what: str) -> None:
        reachable = self._archive.up and world().linked(self._archive.site)
        if not reachable or world().strikes(Fault.ARCHIVE_ERRORS, f"{what} in {self._archive.location}"):
            raise Retriable("s3_unreachable", f"{what}: no answer", "It is tried again by itself.")


def typed(store: SimulatedStore) -> Any:
    """The store, where an `S3Store` is asked for."""
    return store
