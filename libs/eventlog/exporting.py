"""Adding what a stream has gained to its chain in an archive.

Killed anywhere, the next export goes on: a segment without its head is taken over once it has proven to be what the
stream says. Two at once write the same bytes under the same key, or fork the chain; the longer branch wins.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from libs.errors import Permanent
from libs.eventlog.folder import LogFolder
from libs.eventlog.heads import Head, head_after, reach
from libs.eventlog.segments import Segment, SegmentBuilder, SegmentRef, read_segment
from libs.eventlog.stream import StreamReader
from libs.eventlog.verifying import Chain
from libs.telemetry.logs import logger

log = logger("eventlog")

LOOKS = 5
"""At the list of heads, while another exporter moves on."""

TIDIED_EVERY = 16
"""Segments, after which heads that were passed are removed."""

Progress = Callable[[int, int], None]
"""Hears the last sequence that is safe, and the one that is wanted."""


def unheard(_done: int, _wanted: int) -> None:
    """The progress that nobody listens to."""


class Source(Enum):
    """Where a segment of an export comes from."""

    BUILT = "built"
    """It was made of the stream just now."""
    ADOPTED = "adopted"
    """An earlier export left it without a head."""


class Behind(Enum):
    """What it means when the stream ends before its chain does."""

    REFUSED = "refused"
    """It is the record itself: something was lost, or a new history was begun."""
    AWAITED = "awaited"
    """It is a mirror, which is still being fetched."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export came to.

    Attributes:
        last: The chain goes up to here now; 0 if the stream is empty.
        segments: How many were added; with the messages in them, and their bytes in the archive.
        adopted: How many of them an earlier export had left without a head.
    """

    stream: str
    location: str
    last: int
    segments: int = 0
    messages: int = 0
    stored_bytes: int = 0
    adopted: int = 0

    def and_one(self, segment: Segment, source: Source) -> "Exported":
        """With one more segment."""
        return Exported(
            self.stream,
            self.location,
            last=segment.ref.last,
            segments=self.segments + 1,
            messages=self.messages + segment.header.count,
            stored_bytes=self.stored_bytes + len(segment.body),
            adopted=self.adopted + (source is Source.ADOPTED),
        )


class Exporter:
    """Exports one stream into one archive.

    Args:
        reader: The stream, or its mirror.
        folder: Its chain.
        segment_bytes: A segment is closed when its records have so many bytes before compression.
        behind: What it means when the stream ends before its chain does.
    """

    def __init__(
        self,
        reader: StreamReader,
        folder: LogFolder,
        *,
        segment_bytes: int,
        behind: Behind = Behind.REFUSED,
    ) -> None:
        self._reader = reader
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._behind = behind

    async def export(self, progress: Progress = unheard) -> Exported:
        """Add everything that the stream has now and the chain has not.

        Raises:
            Permanent: ``log_behind_archive`` or ``log_diverged``: the stream is not the one that was exported;
                ``log_gap``, ``proof_failed``.
            Retriable: The server or the archive is away.
        """
        head = await self._standing_head()
        end = await self._end()
        if end < reach(head) and self._behind is Behind.AWAITED:
            return Exported(self._folder.stream, self._folder.location, reach(head))
        _, done = await self._export_after(head, end, Source.ADOPTED, progress)
        return done

    async def mend(self, chain: Chain, progress: Progress = unheard) -> Exported:
        """Write anew what is damaged or missing, from the stream, and everything that came after it.

        Args:
            chain: What `verify` found just now.
            progress: As `export`.

        Raises:
            Permanent: As `export`; nothing is mended from a stream that holds less than was exported.
            Retriable: As `export`.
        """
        claimed, _ = await self._folder.newest_head()
        end = await self._end()
        if end < reach(claimed):
            raise self._behind_archive(end, reach(claimed))
        if chain.head is not None:
            await self._require_same(chain.head, end)
            await self._folder.move_head(chain.head)
        head, done = await self._export_after(chain.head, end, Source.BUILT, progress)
        if head is not None:
            await self._folder.drop_heads(but=head)
            await self._folder.drop_segments(chain.damaged)
        return done

    async def _export_after(
        self, head: Head | None, end: int, source: Source, progress: Progress
    ) -> tuple[Head | None, Exported]:
        await self._require_same(head, end)
        done = Exported(self._folder.stream, self._folder.location, reach(head))
        while reach(head) < end:
            segment, source = await self._next(head, end, source)
            head = head_after(head, segment)
            await self._folder.move_head(head)
            done = done.and_one(segment, source)
            if reach(head) >= end or done.segments % TIDIED_EVERY == 0:
                await self._folder.forget_heads_before(head)
            progress(head.last, end)
        return head, done

    async def _end(self) -> int:
        extent = await self._reader.extent()
        return 0 if extent is None else extent.last

    async def _standing_head(self) -> Head | None:
        """The newest head whose last segment is there: what it reaches is not exported again."""
        for _ in range(LOOKS):
            keys = await self._folder.head_keys()
            for key in keys:
                try:
                    head = await self._folder.read_head(key)
                    if await self._folder.holds(head.tip):
                        return head
                    reason = f"its last segment, {head.tip.first}-{head.tip.last}, is missing"
                except Permanent as error:
                    if error.problem.code == "object_missing":
                        break  # another exporter has passed it: there is a newer one
                    reason = error.problem.reason
                log.warning("head_passed_over", archive=self._folder.location, key=key, reason=reason)
            else:
                return None
        return None

    async def _require_same(self, head: Head | None, end: int) -> None:
        if head is None:
            return
        stream, location = self._folder.stream, self._folder.location
        if end < head.last:
            raise self._behind_archive(end, head.last)
        if (await self._reader.record(head.last)).digest() != head.record_digest:
            raise log_diverged(stream, location, head.last)

    def _behind_archive(self, end: int, last: int) -> Permanent:
        return Permanent(
            "log_behind_archive",
            f"{self._folder.stream} ends at {end}, but {self._folder.location} has it up to {last}",
            "Restore it: chasqui events restore. To begin anew on purpose, give the archive another log folder.",
        )

    async def _next(self, head: Head | None, end: int, source: Source) -> tuple[Segment, Source]:
        """The next segment, in the archive and read back.

        It may stand there already, without a head; not after one that was built just now.
        """
        if source is Source.ADOPTED and (segment := await self._standing(head, end)) is not None:
            return segment, Source.ADOPTED
        segment = await self._built(head, end)
        await self._folder.add(segment)
        return segment, Source.BUILT

    async def _standing(self, head: Head | None, end: int) -> Segment | None:
        refs, _ = await self._folder.segments(reach(head) + 1)
        for ref in sorted(refs, key=lambda one: one.last, reverse=True):
            if ref.last <= end and (segment := await self._adoptable(head, ref)) is not None:
                log.info("segment_adopted", archive=self._folder.location, first=ref.first, last=ref.last)
                return segment
        return None

    async def _built(self, head: Head | None, end: int) -> Segment:
        builder = SegmentBuilder(self._folder.stream, None if head is None else head.tip)
        async for records in self._reader.records(builder.following, end):
            await asyncio.to_thread(builder.add, records, self._segment_bytes)
            if builder.size >= self._segment_bytes:
                break
        return await asyncio.to_thread(builder.finish)

    async def _adoptable(self, head: Head | None, ref: SegmentRef) -> Segment | None:
        """A segment that somebody left, if it follows the head and says what the stream says."""
        try:
            segment = await self._folder.read(ref)
        except Permanent as error:
            log.warning("segment_passed_over", archive=self._folder.location, **error.problem.model_dump())
            return None
        if segment.header.previous != (None if head is None else head.tip):
            return None
        await self._compare(segment)
        return segment

    async def _compare(self, segment: Segment) -> None:
        _, stored = read_segment(segment.body, self._folder.stream, segment.ref)
        async for records in self._reader.records(segment.ref.first, segment.ref.last):
            for record in records:
                if next(stored).digest() != record.digest():
                    raise log_diverged(self._folder.stream, self._folder.location, record.sequence)


def log_diverged(stream: str, location: str, sequence: int) -> Permanent:
    """The error of a stream that is another one than the one that was exported."""
    return Permanent(
        "log_diverged",
        f"message {sequence} of {stream} is not the one that {location} has under this number",
        "The stream was begun anew or restored from elsewhere: find out which history is right; to keep both, give "
        "the archive another log folder in the deployment file.",
    )
