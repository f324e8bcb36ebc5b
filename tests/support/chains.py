"""Streams full of odd messages, and their chains in an archive, for tests of the log's export and restore."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nats.aio.client import Client

from contracts.subjects import events_stream
from libs.eventlog.archives import folder_of
from libs.eventlog.exporting import Behind, Exporter
from libs.eventlog.folder import LogFolder
from libs.eventlog.records import LogRecord
from libs.eventlog.segments import read_segment
from libs.eventlog.stream import StreamReader
from libs.eventlog.verifying import Chain, verify
from libs.service.service import Place
from libs.sites.models import S3Location
from libs.storage.s3 import S3Store
from libs.storage.s3_objects import ExistingObject
from tests.support.road import Road

SMALL = 2500
"""Bytes: a segment of some ten messages."""


@dataclass
class Chained:
    """A site's stream and its chain in the road's archive."""

    road: Road
    place: Place
    store: S3Store
    client: Client

    @property
    def stream(self) -> str:
        return events_stream(self.place.site)

    @property
    def location(self) -> tuple[str, S3Location]:
        name = f"{self.road.centre.site}-archive"
        settings = self.road.centre.settings.locations[name]
        assert isinstance(settings, S3Location)
        return name, settings

    def folder(self, store: S3Store | None = None) -> LogFolder:
        return folder_of(store or self.store, *self.location, self.stream)

    def reader(self) -> StreamReader:
        return StreamReader(self.client, self.stream)

    def exporter(
        self, store: S3Store | None = None, *, size: int = SMALL, behind: Behind = Behind.REFUSED
    ) -> Exporter:
        return Exporter(self.reader(), self.folder(store), segment_bytes=size, behind=behind)

    async def publish(self, count: int, mark: str = "m") -> None:
        """Messages of every kind: with and without headers, text, bytes, nothing at all."""
        js = self.client.jetstream(timeout=10)
        for number in range(count):
            subject = f"chasqui.{self.place.site}.thing.happened{number % 3}.v1"
            body = (
                b""
                if number % 7 == 0
                else bytes(range(256))
                if number % 5 == 0
                else b'{"%s":%d,"filler":"%s"}' % (mark.encode(), number, b"x" * 100)
            )
            headers = None if number % 4 == 0 else {"Nats-Msg-Id": f"{mark}-{number}", "name": "Ärger"}
            await js.publish(subject, body, stream=self.stream, headers=headers)

    async def last(self) -> int:
        extent = await self.reader().extent()
        assert extent is not None
        return extent.last

    async def records(self) -> list[LogRecord]:
        """What the stream holds."""
        return [r async for batch in self.reader().records(1, await self.last()) for r in batch]

    async def archived(self) -> list[LogRecord]:
        """What the chain holds."""
        chain = await self.verified()
        folder, found = self.folder(), []
        async for ref, body in folder.in_order(list(chain.path)):
            assert isinstance(body, bytes)
            found += list(read_segment(body, self.stream, ref)[1])
        return found

    async def verified(self) -> Chain:
        return await verify(self.folder())

    async def keys(self) -> list[str]:
        return [item.key async for item in self.store.list(self.folder().names.root)]

    async def segment_keys(self) -> list[str]:
        return [key for key in await self.keys() if "/segments/" in key]

    async def head_keys(self) -> list[str]:
        return [key for key in await self.keys() if "/heads/" in key]

    async def get(self, key: str) -> bytes:
        return await self.store.get_bytes(key, most=1 << 30)

    async def put(self, key: str, body: bytes) -> None:
        """Replace an object behind everybody's back."""
        await self.store.put_bytes(key, body, existing=ExistingObject.REPLACE)


@asynccontextmanager
async def chained(road: Road, place: Place) -> AsyncIterator[Chained]:
    """The stream of a site (which has its deployment as its first message), and the archive."""
    async with S3Store(road.centre.s3(f"{road.centre.site}-archive")) as store:
        yield Chained(road, place, store, road.client(place))
