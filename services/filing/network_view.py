"""The present state of a site's tasks, assets and cameras: a view of ops-db, and what the log says after it."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from nats.aio.client import Client

from contracts.base import Event
from contracts.skynet.assets import AssetEvent, AssetRegistered, ObservationAsset
from contracts.skynet.cameras import CameraRegistered
from contracts.skynet.tasks import TaskEvent
from contracts.subjects import events_stream
from libs.opsdb.reader import OpsDbReader, Snapshot
from services.filing import network_queries as queries
from services.filing.following import Following
from services.filing.knowledge import Knowledge
from services.filing.logtail import LogTail, entity_subjects
from services.filing.network_world import Declared, Known
from services.filing.overlay import Overlay
from services.filing.recent import E, Recent, latest

OF_ASSETS: Final = ("observation_asset", "asset_transfer", "asset_run")
"""Whatever is said of these tells the whole asset."""

NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "task": ("task",),
    "observation_asset": (*OF_ASSETS, "task"),
    "camera": ("camera",),
}
"""What has to be known for a decision about a thing."""


@dataclass(frozen=True, slots=True)
class NetworkView:
    """Everything that was said up to the end of the log, as one request sees it."""

    site: str
    snapshot: Snapshot
    tasks: Recent[TaskEvent]
    assets: Mapping[str, Recent[AssetEvent]]
    cameras: Recent[CameraRegistered]
    files: Overlay | None

    async def task(self, uid: UUID) -> Known[TaskEvent] | None:
        """A task; None if nobody filed it."""
        known = await queries.task(self.snapshot, uid)
        return self._newest(known, self.tasks.of(uid))

    async def asset(self, uid: UUID) -> Known[AssetEvent] | None:
        """An asset; None if nobody filed it."""
        known = await queries.asset(self.snapshot, uid)
        said = (event for recent in self.assets.values() for event in recent.of(uid))
        return self._newest(known, said)

    async def asset_numbered(self, number: int) -> ObservationAsset | None:
        """The asset of a number; None if there is none."""
        for event in self.assets["observation_asset"].numbered(number).values():
            return event.asset
        return await queries.asset_numbered(self.snapshot, number)

    async def made_by(self, uid: UUID) -> UUID | None:
        """The task that made an asset; None if none did."""
        for event in self.assets["observation_asset"].of(uid):
            if isinstance(event, AssetRegistered):
                return event.task_uid
        return await queries.made_by(self.snapshot, uid)

    async def camera(self, uid: UUID) -> CameraRegistered | None:
        """What was registered of a camera last; None if nothing was."""
        return latest(await queries.camera(self.snapshot, uid), self.cameras.of(uid))

    async def file(self, file_id: UUID) -> Declared | None:
        """What was declared of a file's bytes; None if nobody filed it."""
        recent = None if self.files is None else self.files.file(file_id)
        if recent is not None:
            return Declared(recent.size, recent.sha256)
        return await queries.file(self.snapshot, file_id)

    async def other_task(self, number: int, uid: UUID) -> UUID | None:
        """Another task of this number."""
        return await self._other("optical_imaging_task", self.tasks, number, uid)

    async def other_asset(self, number: int, uid: UUID) -> UUID | None:
        """Another asset of this number."""
        return await self._other("observation_asset", self.assets["observation_asset"], number, uid)

    async def other_device(self, number: int, uid: UUID) -> UUID | None:
        """Another device of this number."""
        return await self._other("device", self.cameras, number, uid)

    async def caused(self, entity: str, uid: UUID, request: UUID, kind: type[Event] | None = None) -> bool:
        """Whether a request led to something that is said of a thing."""
        stream = events_stream(self.site)
        return self._recent(entity).caused(uid, request, kind) or await queries.caused(
            self.snapshot, uid, stream, request, kind
        )

    async def said(self, entity: str, uid: UUID, kind: type[Event]) -> bool:
        """Whether something of a kind is said of a thing."""
        if any(isinstance(event, kind) for event in self._recent(entity).of(uid)):
            return True
        return await queries.was_said(self.snapshot, uid, events_stream(self.site), kind)

    def _newest(self, known: Known[E] | None, said: Iterable[E]) -> Known[E] | None:
        """What ops-db knows, or what this site said after it."""
        last = latest(None if known is None else known.last, said)
        if last is None or (known is not None and known.last is last):
            return known
        return Known(last, self.site)

    def _recent(self, entity: str) -> Recent[Any]:
        match entity:
            case "task":
                return self.tasks
            case "camera":
                return self.cameras
            case _:
                return self.assets[entity]

    async def _other(self, table: str, recent: Recent[Any], number: int, uid: UUID) -> UUID | None:
        for other in recent.numbered(number):
            if other != uid:
                return other
        return await queries.another_numbered(self.snapshot, table, number, uid)


class NetworkKnowledge:
    """Keeps what is recent between requests. One request at a time: whoever settles them sees to it.

    Args:
        opsdb: The site's ops-db.
        client: Connected to the site's server.
        site: The site.
        files: What is known of observations and their files.
    """

    def __init__(self, opsdb: OpsDbReader, client: Client, site: str, files: Knowledge) -> None:
        self._opsdb = opsdb
        self._site = site
        self._files = files

        def tail(entity: str) -> LogTail:
            return LogTail(client, site, entity_subjects(site, entity))

        self._tasks = Following(tail("task"), lambda: Recent(TaskEvent))
        self._cameras = Following(tail("camera"), lambda: Recent(CameraRegistered))
        self._assets = {
            entity: Following(tail(entity), lambda: Recent[AssetEvent](AssetEvent)) for entity in OF_ASSETS
        }
        self._all: dict[str, Following[Any]] = {
            "task": self._tasks,
            "camera": self._cameras,
            **self._assets,
        }

    def following(self, entity: str) -> Following[Any]:
        """What follows the events about things of one kind; KeyError if nothing does."""
        return self._all[entity]

    @asynccontextmanager
    async def view(self, entity: str) -> AsyncIterator[NetworkView]:
        """The state at this moment, as far as decisions about a thing of one kind need it.

        Raises:
            Retriable: ``opsdb_unavailable``, ``bus_unavailable`` or ``opsdb_behind``.
        """
        async with self._opsdb.snapshot(events_stream(self._site)) as snapshot:
            for needed in NEEDS[entity]:
                await self.following(needed).move_to(snapshot.position)
            of_assets = entity == "observation_asset"
            yield NetworkView(
                site=self._site,
                snapshot=snapshot,
                tasks=self._tasks.overlay,
                assets={name: following.overlay for name, following in self._assets.items()},
                cameras=self._cameras.overlay,
                files=await self._files.overlay(snapshot.position) if of_assets else None,
            )
