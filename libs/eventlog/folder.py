"""One stream's chain as it lies in one archive: objects are added and read, and only heads that are passed go."""

import asyncio
from collections.abc import AsyncIterator, Iterable

from pydantic import ValidationError

from contracts.problems import Problem
from libs.errors import Permanent
from libs.eventlog.heads import Head
from libs.eventlog.naming import ChainNames
from libs.eventlog.segments import Segment, SegmentDamaged, SegmentRef, whole_segment
from libs.storage.s3 import S3Store
from libs.storage.s3_objects import ExistingObject
from libs.telemetry.logs import logger

MOST_BYTES = 512 << 20
"""Of a segment as it lies in the archive: what is larger is none of ours, and is not taken into memory."""
HEADS_KEPT = 3

log = logger("eventlog")


class LogFolder:
    """The chain of one stream in one archive.

    Args:
        store: The archive, open.
        names: Where the objects lie.
        location: The archive's name, for people.
    """

    def __init__(self, store: S3Store, names: ChainNames, location: str) -> None:
        self._store = store
        self.names = names
        self.location = location

    @property
    def stream(self) -> str:
        """Whose events they are."""
        return self.names.stream

    async def segments(self, first: int | None = None) -> tuple[list[SegmentRef], list[str]]:
        """The segments there are, by sequence, and keys among them that are no segment's.

        Args:
            first: Only those that begin with this sequence.
        """
        prefix = self.names.segments if first is None else self.names.segments_from(first)
        found: list[SegmentRef] = []
        odd: list[str] = []
        async for item in self._store.list(prefix):
            ref = self.names.segment_of(item.key)
            if ref is None:
                odd.append(item.key)
            else:
                found.append(ref)
        return found, odd

    async def head_keys(self) -> list[str]:
        """The keys of all heads, the one that reaches furthest first."""
        keys = [item.key async for item in self._store.list(self.names.heads)]
        known = [key for key in keys if self.names.reach_of(key) is not None]
        return sorted(known, reverse=True)

    async def read_head(self, key: str) -> Head:
        """A head.

        Raises:
            Permanent: ``head_damaged``: it is not what its key says; ``object_missing``.
        """
        try:
            document = await self._store.get_json(key)
            head = Head.model_validate(document)
        except ValidationError as error:
            raise _head_damaged(key, error.errors(include_url=False)[0]["msg"]) from error
        except Permanent as error:
            if error.problem.code == "object_missing":
                raise
            raise _head_damaged(key, error.problem.reason) from error
        if head.stream != self.stream or self.names.head(head) != key:
            raise _head_damaged(key, f"it says that it is {self.names.head(head)!r} of {head.stream}")
        return head

    async def newest_head(self) -> tuple[Head | None, list[Problem]]:
        """The head that reaches furthest and can be read, and why others before it cannot."""
        problems: list[Problem] = []
        for key in await self.head_keys():
            try:
                return await self.read_head(key), problems
            except Permanent as error:
                problems.append(error.problem)
        return None, problems

    async def holds(self, ref: SegmentRef) -> bool:
        """Whether the archive says that it has a segment."""
        facts = await self._store.head(self.names.segment(ref))
        return facts is not None and facts.sha256 == ref.sha256

    async def fetch(self, ref: SegmentRef) -> bytes:
        """A segment's bytes, unchecked.

        Raises:
            Permanent: ``object_missing``, ``object_too_large``.
        """
        return await self._store.get_bytes(self.names.segment(ref), most=MOST_BYTES)

    async def read(self, ref: SegmentRef) -> Segment:
        """A segment, checked to its last record.

        Raises:
            SegmentDamaged: It is not what its key says.
            Permanent: ``object_missing``, ``object_too_large``.
        """
        body = await self.fetch(ref)
        return await asyncio.to_thread(whole_segment, body, self.stream, ref)

    async def add(self, segment: Segment) -> None:
        """Store a segment, and read it back; a repeat, or another exporter with the same segment, does no harm.

        Raises:
            Permanent: ``proof_failed``: the archive does not give back what it was given.
        """
        key = self.names.segment(segment.ref)
        for existing in (ExistingObject.KEEP, ExistingObject.REPLACE):
            try:
                await self._store.put_bytes(
                    key, segment.body, existing=existing, content_type="application/gzip"
                )
                if await self.fetch(segment.ref) == segment.body:
                    return
                reason = "other bytes came back"
            except Permanent as error:
                reason = error.problem.reason
            log.warning("segment_written_again", archive=self.location, key=key, reason=reason)
        raise Permanent(
            "proof_failed",
            f"{self.location} does not give back the segment {key!r}: {reason}",
            "Look at the archive's server and disks; the export goes on by itself afterwards.",
        )

    async def move_head(self, head: Head) -> None:
        """Say how far the chain goes now.

        Raises:
            Permanent: ``proof_failed``.
        """
        key, body = self.names.head(head), head.model_dump_json().encode()
        for _ in range(2):  # the way to it may turn a bit once
            await self._store.put_bytes(
                key, body, existing=ExistingObject.REPLACE, content_type="application/json"
            )
            try:
                await self.read_head(key)
            except Permanent as error:
                # Another exporter that is further removes heads that it has passed.
                if error.problem.code == "object_missing" and await self._passed(head):
                    return
                reason = error.problem.reason
                log.warning("head_read_again", archive=self.location, key=key, reason=reason)
            else:
                return
        raise Permanent(
            "proof_failed",
            f"{self.location} does not give back the head {key!r}: {reason}",
            "Look at the archive's server and disks; the export goes on by itself afterwards.",
        )

    async def forget_heads_before(self, head: Head) -> None:
        """Remove heads that were passed long ago."""
        behind = [key for key in await self.head_keys() if (self.names.reach_of(key) or 0) < head.last]
        for old in behind[HEADS_KEPT - 1 :]:
            await self._store.delete(old)

    async def _passed(self, head: Head) -> bool:
        return any((self.names.reach_of(key) or 0) > head.last for key in await self.head_keys())

    async def drop_heads(self, *, but: Head) -> None:
        """Remove every other head: the chains they end are not whole."""
        for key in await self.head_keys():
            if key != self.names.head(but):
                await self._store.delete(key)

    async def drop_segments(self, refs: Iterable[SegmentRef]) -> None:
        """Remove damaged segments; those that were written anew under the same name meanwhile stay."""
        for ref in refs:
            try:
                await self.read(ref)
            except Permanent:
                await self._store.delete(self.names.segment(ref))

    async def in_order(
        self, path: list[SegmentRef], ahead: int = 4
    ) -> AsyncIterator[tuple[SegmentRef, bytes | SegmentDamaged]]:
        """The bytes of segments in the order given, some of them fetched ahead; of a missing one, why."""
        waiting: list[asyncio.Task[bytes | SegmentDamaged]] = []
        upcoming = iter(path)
        try:
            for ref in path:
                while len(waiting) < ahead and (following := next(upcoming, None)) is not None:
                    waiting.append(asyncio.create_task(self._fetched(following)))
                yield ref, await waiting.pop(0)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _fetched(self, ref: SegmentRef) -> bytes | SegmentDamaged:
        try:
            return await self.fetch(ref)
        except Permanent as error:
            return SegmentDamaged(error.problem.reason)


def _head_damaged(key: str, what: str) -> Permanent:
    return Permanent(
        "head_damaged",
        f"the head {key!r} is damaged: {what}",
        "While the stream lives: chasqui events export writes a new one; otherwise see chasqui events verify.",
    )
