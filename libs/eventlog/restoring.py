"""Putting a site's log back: same sequences, subjects, headers and bodies, from an archive and from mirrors.

While it goes on, the stream does not listen to the site's subjects, so that nobody can begin a new history in it. What
stands there already is compared with what is to be restored, message by message: a restore that was killed goes on.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import Enum
from itertools import islice

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import StreamConfig, StreamInfo, SubjectTransform
from nats.js.errors import APIError, NotFoundError

from contracts.subjects import all_events, all_restored, events_stream
from libs.bus.connection import unavailable
from libs.bus.provision import own_stream
from libs.errors import UserError
from libs.eventlog.folder import LogFolder
from libs.eventlog.records import LogRecord
from libs.eventlog.segments import SegmentDamaged, SegmentRef, read_segment
from libs.eventlog.stream import StreamReader
from libs.eventlog.writing import WINDOW_S, RecordWriter

BATCH = 256

Progress = Callable[[int], None]
"""Hears the last sequence that is compared or sent."""


class Standing(Enum):
    """What there is of a site's own stream."""

    MISSING = "missing"
    """Nothing."""
    RESTORING = "restoring"
    """A restore has begun and did not end."""
    IN_USE = "in_use"
    """The stream that services write to; it may be empty."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore came to.

    Attributes:
        found: The last sequence that was there before.
        last: The last sequence that is there now.
    """

    stream: str
    found: int
    last: int


def restoring_stream(site: str) -> StreamConfig:
    """The site's stream as it is while it is restored."""
    config = own_stream(site)
    return config.evolve(
        subjects=[all_restored(site)],
        subject_transform=SubjectTransform(src=all_restored(site), dest=all_events(site)),
        duplicate_window=WINDOW_S,
    )


def standing_of(site: str, info: StreamInfo | None) -> Standing:
    """What a stream's settings say about it.

    Raises:
        UserError: ``provision_differs``: it is none of ours.
    """
    if info is None:
        return Standing.MISSING
    subjects = info.config.subjects or []
    if subjects == [all_restored(site)]:
        return Standing.RESTORING
    if subjects == [all_events(site)]:
        return Standing.IN_USE
    raise UserError(
        "provision_differs",
        f"stream {events_stream(site)} has the subjects {subjects}, not {[all_events(site)]}",
        "Find out who made it; delete it with the nats tool if it holds nothing of value, and restore again.",
    )


class Restoration:
    """The stream of one site that is being restored.

    Args:
        client: Connected to the site's server.
        site: The site.
    """

    def __init__(self, client: Client, site: str) -> None:
        self._client = client
        self._site = site
        self._js = client.jetstream(timeout=15)
        self._stream = events_stream(site)
        self._reader = StreamReader(client, self._stream)

    async def look(self) -> tuple[Standing, int]:
        """What there is, and its last sequence.

        Raises:
            UserError: ``provision_differs``.
            Retriable: ``bus_unavailable``.
        """
        try:
            info = await self._js.stream_info(self._stream)
        except NotFoundError:
            return Standing.MISSING, 0
        except (NatsError, OSError, TimeoutError) as error:
            raise unavailable(str(self._client.connected_url), error) from error
        return standing_of(self._site, info), info.state.last_seq

    async def restore(
        self, sources: Sequence[AsyncIterator[list[LogRecord]]], progress: Progress | None = None
    ) -> Restored:
        """Compare what is there, and write what is not.

        Args:
            sources: One after the other they give every record from the first on.
            progress: Hears how far it is.

        Raises:
            UserError: ``stream_differs``: what is there is not what is to be restored; nothing was written.
            Permanent: ``segment_damaged``, ``log_gap``, ``sequence_taken``, ``record_foreign``.
            Retriable: ``bus_unavailable``, ``restore_interrupted``: run it again.
        """
        standing, found = await self.look()
        last = 0
        async with AsyncExitStack() as stack:
            writer: RecordWriter | None = None
            for source in sources:
                async for records in source:
                    await self._compare([record for record in records if record.sequence <= found])
                    if fresh := [record for record in records if record.sequence > found]:
                        if writer is None:
                            await self._open(standing)
                            standing = Standing.RESTORING
                            writer = await stack.enter_async_context(RecordWriter(self._client, self._site))
                        await writer.write(fresh)
                    last = records[-1].sequence
                    if progress is not None:
                        progress(last)
            if writer is not None:
                await writer.drain()
        if standing is Standing.RESTORING:
            await self._close(max(last, found))
        return Restored(self._stream, found, max(last, found))

    async def _compare(self, records: Sequence[LogRecord]) -> None:
        if not records:
            return
        wanted = iter(records)
        async for stored in self._reader.records(records[0].sequence, records[-1].sequence):
            for record in stored:
                if next(wanted).digest() != record.digest():
                    raise stream_differs(self._stream, record.sequence)

    async def _open(self, standing: Standing) -> None:
        config = restoring_stream(self._site)
        await self._configure(config, new=standing is Standing.MISSING)

    async def _close(self, last: int) -> None:
        _, stored = await self.look()
        if stored != last:
            raise stream_differs(self._stream, min(stored, last) + 1)
        await self._configure(own_stream(self._site), new=False)

    async def _configure(self, config: StreamConfig, *, new: bool) -> None:
        try:
            await (self._js.add_stream(config) if new else self._js.update_stream(config))
        except APIError as error:
            raise UserError(
                "stream_refused",
                f"the server does not take the stream {self._stream} as it has to be: {error.description}",
                "Look at the server's limits and version: NATS 2.10 or newer is needed.",
            ) from error
        except (NatsError, OSError, TimeoutError) as error:
            raise unavailable(str(self._client.connected_url), error) from error


async def from_archive(folder: LogFolder, path: Sequence[SegmentRef]) -> AsyncIterator[list[LogRecord]]:
    """The records of a chain, each segment checked again as it is read.

    Raises:
        SegmentDamaged: It changed since it was verified.
    """
    async for ref, body in folder.in_order(list(path)):
        if isinstance(body, SegmentDamaged):
            raise body
        _, records = await asyncio.to_thread(read_segment, body, folder.stream, ref)
        while batch := await asyncio.to_thread(list, islice(records, BATCH)):
            yield batch


def stream_differs(stream: str, sequence: int) -> UserError:
    """The error of a stream that holds something else than what is to be restored."""
    return UserError(
        "stream_differs",
        f"message {sequence} of {stream} is not the one that is to be restored; nothing was changed",
        "Find out which history is right. To restore, delete the stream (nats stream rm, or the site's folder in "
        "servers/nats of the work directory) and try again; to keep it, give the archive another log folder.",
    )
