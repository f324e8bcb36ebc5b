"""The desk for telescope nodes: decides requests about tasks, assets and cameras, and stores what it accepts."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from contracts.base import Message, derived_id
from contracts.skynet.assets import AssetTransferRequested
from contracts.skynet.requests import FileAsset, FileCamera, FileTask, ReportTask
from contracts.skynet.tasks import TaskAssetsChanged
from libs.bus.publishing import EventPublisher, SequenceConflict
from libs.skynet.rendering import Debounce
from libs.telemetry.logs import logger
from services.filing.answers import Answer
from services.filing.assets import decide_asset
from services.filing.cameras import decide_camera
from services.filing.decisions import Accept, Decision
from services.filing.logtail import Found, entity_subjects
from services.filing.network_view import NetworkKnowledge, NetworkView
from services.filing.network_world import AssetWorld, CameraWorld, TaskWorld
from services.filing.settling import Settler
from services.filing.tasking import decide_step, decide_task

Decide = Callable[[NetworkView], Awaitable[Decision]]

log = logger("filing")


class NetworkRegistrar:
    """Takes the requests of a site's telescope nodes.

    Each event carries the id of its request as its cause: that is how a repeat is known, whatever was said since.
    All methods raise Retriable while a server is away.

    Args:
        site: The site.
        publisher: Stores this service's events.
        knowledge: The present state.
        settler: Settles the requests, one after the other.
        now: The site's clock.
        debounce: How changes of an asset's pictures are gathered.
    """

    def __init__(
        self,
        site: str,
        publisher: EventPublisher,
        knowledge: NetworkKnowledge,
        settler: Settler,
        *,
        now: Callable[[], datetime],
        debounce: Debounce,
    ) -> None:
        self._site = site
        self._publisher = publisher
        self._knowledge = knowledge
        self._settler = settler
        self._now = now
        self._debounce = debounce

    async def task(self, request: FileTask) -> Answer:
        """There is a task."""
        uid, number = request.task.uid, request.task.id

        async def decide(view: NetworkView) -> Decision:
            known = await view.task(uid)
            taken = None if known else await view.other_task(number, uid)
            return decide_task(request, TaskWorld(self._site, known, number_of=taken))

        return await self._settle("task", decide, derived_id("filing.task", uid))

    async def task_step(self, request: ReportTask) -> Answer:
        """Something happened to a task."""
        uid, request_id = request.task_uid, id_of("filing.task_step", request)

        async def decide(view: NetworkView) -> Decision:
            said_before = await view.caused("task", uid, request_id)
            return decide_step(request, TaskWorld(self._site, await view.task(uid), said_before))

        return await self._settle("task", decide, request_id)

    async def asset(self, request: FileAsset) -> Answer:
        """There is an asset."""
        request_id = derived_id("filing.asset", request.asset.uid)

        async def decide(view: NetworkView) -> Decision:
            world = await self._asset_world(view, request, request_id)
            return decide_asset(request, world, self._debounce, self._now())

        return await self._settle("observation_asset", decide, request_id)

    async def camera(self, request: FileCamera) -> Answer:
        """A camera is like this now."""
        uid, request_id = request.camera.uid, id_of("filing.camera", request)

        async def decide(view: NetworkView) -> Decision:
            world = CameraWorld(
                known=await view.camera(uid),
                said_before=await view.caused("camera", uid, request_id),
                number_of=await view.other_device(request.camera.id, uid),
            )
            return decide_camera(request, world)

        return await self._settle("camera", decide, request_id)

    async def _asset_world(self, view: NetworkView, request: FileAsset, request_id: UUID) -> AssetWorld:
        asset, task_uid = request.asset, request.task_uid
        known = await view.asset(asset.uid)
        root = asset.root_observation_asset_id
        return AssetWorld(
            site=self._site,
            known=known,
            made_by=None if known is None else await view.made_by(asset.uid),
            requested=known is not None
            and await view.said("asset_transfer", asset.uid, AssetTransferRequested),
            number_of=None if known else await view.other_asset(asset.id, asset.uid),
            root=None if known or root is None else await view.asset_numbered(root),
            task=None if task_uid is None else await view.task(task_uid),
            noted=task_uid is not None
            and await view.caused("task", task_uid, request_id, kind=TaskAssetsChanged),
            file=None if known else await view.file(asset.file_id),
        )

    async def _settle(self, entity: str, decide: Decide, request_id: UUID) -> Answer:
        async def decided() -> Decision:
            async with self._knowledge.view(entity) as view:
                return await decide(view)

        async def store(decision: Accept) -> bool:
            return await self._stored(decision, request_id)

        return await self._settler.settle(decided, store, entity_subjects(self._site, entity))

    async def _stored(self, decision: Accept, request_id: UUID) -> bool:
        """Store the events of a decision, each guarded by all that is said of things of its kind."""
        cause = str(request_id)
        for event in decision.events:
            following = self._knowledge.following(event.entity)
            try:
                sequence = await self._publisher.publish_guarded(
                    event,
                    guarded=entity_subjects(self._site, event.entity),
                    last_sequence=following.last,
                    causation_id=cause,
                )
            except SequenceConflict:
                log.debug("decided_again", about=str(event.about()))
                return False
            following.stored(Found(sequence, event, event.event_id(self._site), cause))
        return True


def id_of(kind: str, request: Message) -> UUID:
    """The id of a request: of what it says, so that fields which are left out may be added to its model."""
    return derived_id(kind, request.model_dump_json(exclude_defaults=True))
