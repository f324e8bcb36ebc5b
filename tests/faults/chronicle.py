"""The log of every site, followed live on its own server: what has happened so far, by what it happened to."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from nats.aio.client import Client

from contracts.base import Event
from contracts.copies import CopyDeleted, CopyRef
from contracts.envelope import Envelope
from contracts.files import FilesPackaged
from contracts.packages import PackageArchived, PackageSealed
from contracts.registry import REGISTRY, UnreadableEvent
from contracts.staging import StagingCompleted, StagingFailed
from contracts.states import CopyKind
from contracts.subjects import events_stream
from libs.bus.connection import connect
from libs.bus.reading import read_batches
from libs.bus.stored import StoredMessage
from libs.ending import end
from tests.faults.system import System

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as it stands in the log."""

    site: str
    sequence: int
    time: datetime
    envelope: Envelope
    event: Event


@dataclass(slots=True)
class Chronicle:
    """What has happened.

    Attributes:
        entries: Every event, by site, in the order of the log.
        unreadable: What cannot be read, in words.
        last: The last sequence that was read, by site.
        sealed: Packages that were sealed, each with its files.
        archived: The archives that have a package.
        deleted: Copies that were deleted: of what kind, of what, where.
        staged: How staging jobs ended.
    """

    entries: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    unreadable: list[str] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    sealed: dict[UUID, PackageSealed] = field(default_factory=dict)
    package_of: dict[UUID, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    archived: dict[UUID, set[str]] = field(default_factory=lambda: defaultdict(set))
    deleted: dict[tuple[CopyKind, UUID, str], CopyRef] = field(default_factory=dict)
    staged: dict[UUID, StagingCompleted | StagingFailed] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def of(self, kind: type[E]) -> Iterator[E]:
        """Every event of a kind, site by site."""
        for entries in self.entries.values():
            for entry in entries:
                if isinstance(entry.event, kind):
                    yield entry.event

    def is_archived(self, file: UUID, archives: tuple[str, ...]) -> bool:
        """Whether a package with a file is in all of these archives."""
        return any(self.archived.get(one, set()) >= {*archives} for one in self.package_of.get(file, ()))

    async def until(self, condition: Callable[[], bool], what: str, within_s: float = 240.0) -> None:
        """Wait until the log says so."""
        try:
            async with asyncio.timeout(within_s):
                while not condition():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            raise AssertionError(f"{what} did not happen within {within_s:g} s") from None

    def read(self, site: str, message: StoredMessage) -> None:
        """Take in one message of a site's stream."""
        self.last[site] = message.sequence
        try:
            event = REGISTRY.read("chasqui." + message.subject.split(".", 2)[2], message.data)
        except UnreadableEvent as error:
            self.unreadable.append(f"{message.stream} {message.sequence} {message.subject}: {error}")
            return
        envelope = Envelope.from_headers(message.headers)
        self.entries[site].append(Entry(site, message.sequence, message.time, envelope, event))
        self._index(event)

    def _index(self, event: Event) -> None:
        match event:
            case PackageSealed():
                self.sealed[event.package.package_id] = event
            case FilesPackaged():
                for file in event.files:
                    self.package_of[file.file_id].add(event.package_id)
            case PackageArchived():
                self.archived[event.package.package_id].add(event.location)
            case CopyDeleted():
                self.deleted |= {(copy.kind, copy.entity_id, copy.location): copy for copy in event.copies}
            case StagingCompleted() | StagingFailed():
                self.staged[event.job_id] = event
            case _:
                pass


@asynccontextmanager
async def followed(system: System) -> AsyncIterator[Chronicle]:
    """Follow the log of every site, from its first event, while the block lasts."""
    chronicle = Chronicle()
    async with AsyncExitStack() as stack:
        for site, place in system.places.items():
            client = await connect(place.bus_address(), name="chronicle")
            stack.push_async_callback(closed, client)
            task = asyncio.create_task(_follow(client, site, chronicle))
            stack.push_async_callback(end, task)
        yield chronicle


async def closed(client: Client) -> None:
    """Close a client, whether or not its server is there."""
    with suppress(OSError):
        await client.close()


async def _follow(client: Client, site: str, chronicle: Chronicle) -> None:
    async for batch in read_batches(client, events_stream(site)):
        for message in batch:
            chronicle.read(site, message)
        chronicle.changed.set()
