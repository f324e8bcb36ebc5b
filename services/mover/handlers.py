"""What the mover hears, and what it does about it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from uuid import UUID

from nats.aio.client import Client

from contracts.base import Event
from contracts.bundles import BundleForwarded, BundleSealed
from contracts.problems import Problem
from libs.breakers import resources
from libs.breakers.shared import Breakers, Use
from libs.bus.bus import Bus, DeliveryOf
from libs.bus.delivery import Delivery
from libs.bus.publishing import EventPublisher
from libs.bus.subscription import Subscription
from libs.errors import Retriable
from libs.service.hindsight import Hindsight
from libs.service.service import Place
from libs.service.telling import Board, telling
from libs.telemetry.logs import logger
from libs.transfer.engine import Progress, TransferReport
from libs.transfer.ratelimit import RateLimit
from services.mover.engines import ENGINES, choose_engine
from services.mover.hops import next_hop
from services.mover.loading import load, require_ends
from services.mover.trips import Delayed, Lost, Trip, failed, judge, locations_of

PATIENCE = 6000
"""Attempts: a link or disk that is away over a long weekend makes no dead letters."""

# Two at once, so that a small urgent bundle is not behind a huge one.
MOVE = Subscription("mover", "move", (BundleSealed, BundleForwarded), workers=2, max_attempts=PATIENCE)
SUBSCRIPTIONS = (MOVE,)

log = logger("mover")


class MoverHandlers:
    """The handlers of one instance.

    Args:
        place: Where the instance runs.
        client: For the progress bucket.
        publisher: Says that a transfer began.
        completed_before: Whether a transfer was completed; raises Retriable while that cannot be told.
        breakers: Of the routes and the BUFFERs.
        hindsight: Knows bundles that were moved before.

    Attributes:
        limits: Of the routes that have one: all that goes on a route shares it.
    """

    def __init__(
        self,
        *,
        place: Place,
        client: Client,
        publisher: EventPublisher,
        completed_before: Callable[[UUID], Awaitable[bool]],
        breakers: Breakers,
        hindsight: Hindsight,
    ) -> None:
        self._place = place
        self._client = client
        self._publisher = publisher
        self._completed_before = completed_before
        self._breakers = breakers
        self._hindsight = hindsight
        routes = place.deployment.routes
        self.limits: Mapping[str, RateLimit] = {
            name: RateLimit(route.rate_limit) for name, route in routes.items() if route.rate_limit
        }

    async def move(self, event: BundleSealed | BundleForwarded, delivery: DeliveryOf) -> Sequence[Event]:
        """Move a bundle one hop, unless it was moved before."""
        trip = self._trip(event)
        if await self._hindsight.answered(delivery, [trip.completed(0.0).event_id(self._place.site)]):
            return ()
        cause = str(delivery.envelope.id)
        if await self._is_known_as_completed(trip):
            return ()
        way, there = resources.route(event.route), resources.room(trip.hop.location)
        async with self._breakers.using(way, there) as use:
            await self._publisher.publish([trip.started()], causation_id=cause)
            verdict = judge(await self._transfer(trip, use))
            if isinstance(verdict, Delayed):
                raise Retriable(**verdict.problem.model_dump())
        if isinstance(verdict, Lost):
            # After a success the janitor clears both buffers: a late repeat finds nothing, and nothing is wrong.
            if await self._completed_before(trip.id):
                return ()
            await self._require_ends(trip)
            # Whoever receives the bundle finds out what is not there, and has that alone sent or built again.
            log.warning("moved_in_part", bundle=str(event.bundle_id), **verdict.problem.model_dump())
        log.info("moved", bundle=str(event.bundle_id), bytes=event.size, seconds=verdict.seconds)
        return [trip.completed(verdict.seconds)]

    def _trip(self, event: BundleSealed | BundleForwarded) -> Trip:
        deployment, here = self._place.deployment, self._place.site
        hop = next_hop(deployment, event.route, here)
        return Trip(event, here, hop, choose_engine(deployment, locations_of(event), hop.location))

    async def _transfer(self, trip: Trip, use: Use) -> TransferReport:
        items = await asyncio.to_thread(load, trip.bundle.packages, self._root, self._root(trip.hop.location))
        facts = {
            "work": "transfer",
            "transfer_id": trip.id,
            "bundle_id": trip.bundle.bundle_id,
            "destination": trip.hop.site,
            "packages": len(items),
            "total": trip.bundle.size,
        }
        async with telling(self._client, self._place.site, f"mover.{trip.id}", facts) as board:
            engine = ENGINES[trip.engine](self._place.deployment.routes[trip.bundle.route])
            limit = self.limits.get(trip.bundle.route)
            return await engine.transfer(items, progress=_shown_on(board, use), limit=limit)

    async def _require_ends(self, trip: Trip) -> None:
        """A disk may have gone away while it was read: then nothing is lost, and the bundle waits for it."""
        destination = self._root(trip.hop.location)
        await asyncio.to_thread(require_ends, trip.bundle.packages, self._root, destination)

    async def _is_known_as_completed(self, trip: Trip) -> bool:
        """Whether this is a late repeat: both buffers may have been cleared since, and nobody would clear them again."""
        try:
            return await self._completed_before(trip.id)
        except Retriable as error:
            log.info("moves_without_opsdb", transfer=str(trip.id), **error.problem.model_dump())
            return False

    def given_up(
        self, event: BundleSealed | BundleForwarded, _delivery: Delivery, problem: Problem
    ) -> Sequence[Event]:
        """The bundle was not moved, and will not be."""
        hop = next_hop(self._place.deployment, event.route, self._place.site)
        return [failed(event, hop, problem)]

    def _root(self, location: str) -> Path:
        return self._place.disk(location).path


def _shown_on(board: Board, use: Use) -> Callable[[Progress], None]:
    def show(progress: Progress) -> None:
        if progress.rate:
            use.works()
        board.show(
            done=progress.bytes_done,
            rate=round(progress.rate),
            eta_s=None if progress.eta_seconds is None else round(progress.eta_seconds, 1),
        )

    return show


def subscribe(bus: Bus, handlers: MoverHandlers) -> None:
    """Let the handlers have what they hear."""
    bus.subscribe(MOVE, handlers.move, given_up=handlers.given_up)
