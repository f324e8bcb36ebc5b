"""What the verifier hears, and what it does about it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from nats.aio.client import Client

from contracts.base import Event
from contracts.packages import PackageFailed
from contracts.problems import Problem
from contracts.transfers import MovedPackage, TransferCompleted
from libs.breakers import resources
from libs.breakers.shared import Breakers
from libs.bus import fencing
from libs.bus.bus import Bus, DeliveryOf
from libs.bus.delivery import Delivery
from libs.bus.publishing import EventPublisher
from libs.bus.subscription import Hears, Subscription
from libs.copies.examining import Damaged, Verdict
from libs.service.hindsight import Hindsight
from libs.service.service import Place
from libs.service.telling import telling
from libs.telemetry.logs import logger
from services.verifier.quarantine import set_aside
from services.verifier.reading import Reader
from services.verifier.remembering import Memory
from services.verifier.sayings import bundle_events, events_if_intact, package_event

PATIENCE = 6000
"""Attempts: a disk that is away over a long weekend makes no dead letters."""

VERIFY = Subscription(
    "verifier", "verify", (TransferCompleted,), hears=Hears.OTHER_SITES, workers=2, max_attempts=PATIENCE
)
SUBSCRIPTIONS = (VERIFY,)

log = logger("verifier")


class VerifierHandlers:
    """The handlers of one instance.

    Args:
        place: Where the instance runs.
        client: For the progress bucket.
        publisher: Tells of each package as soon as it is read.
        breakers: Of the BUFFERs.
        memory: Of what was said before.
        hindsight: Knows transfers that were read to their end before.
    """

    def __init__(
        self,
        *,
        place: Place,
        client: Client,
        publisher: EventPublisher,
        breakers: Breakers,
        memory: Memory,
        hindsight: Hindsight,
    ) -> None:
        self._place = place
        self._client = client
        self._publisher = publisher
        self._breakers = breakers
        self._memory = memory
        self._hindsight = hindsight
        self._reader = Reader()

    async def verify(self, event: TransferCompleted, delivery: DeliveryOf) -> Sequence[Event]:
        """Read what arrived here, unless that was done before."""
        if event.location not in self._place.settings.locations:
            return ()
        site = self._place.site
        done = [one.event_id(site) for one in events_if_intact(event, self._place.deployment, site)]
        if await self._hindsight.answered(delivery, done):
            return ()
        root = self._place.disk(event.location).path
        cause = str(delivery.envelope.id)

        async def tell(moved: MovedPackage, verdict: Verdict) -> Verdict:
            if isinstance(verdict, Damaged) and verdict.identity is None:
                before = await self._memory.verdict_of(event, moved)
                if before is not None:
                    return before
            if isinstance(verdict, Damaged):
                # Who was paused finds what a successor has set aside, or the janitor cleared. What is left: a pause
                # between this line and the storing; the same condemnation has the same id.
                fencing.check()
            await self._publisher.publish([package_event(event, moved, verdict)], causation_id=cause)
            if isinstance(verdict, Damaged):
                await self._refuse(event, moved, verdict, root)
            return verdict

        facts = {
            "work": "verification",
            "transfer_id": event.transfer_id,
            "bundle_id": event.bundle_id,
            "packages": len(event.packages),
            "total": event.size,
        }
        key = f"verifier.{event.transfer_id}"
        async with (
            self._breakers.using(resources.disk(event.location)),
            telling(self._client, self._place.site, key, facts) as board,
        ):
            verdicts = await self._reader.read(event, root, tell, board)
        return bundle_events(event, verdicts, self._place.deployment, self._place.site)

    def given_up(self, event: TransferCompleted, delivery: Delivery, problem: Problem) -> Sequence[Event]:
        """What arrived was not read, and will not be: none of its packages of which nothing was told."""
        if event.location not in self._place.settings.locations:
            return ()
        told, cause = self._reader.told(event.transfer_id), delivery.envelope.id
        left = [one for moved in event.packages if (one := moved.package.package_id) not in told]
        return [
            PackageFailed(package_id=one, cause=cause, service="verifier", problem=problem) for one in left
        ]

    async def _refuse(
        self, event: TransferCompleted, moved: MovedPackage, verdict: Damaged, root: Path
    ) -> None:
        name, first = moved.package.name, verdict.problems[0]
        log.warning("corrupted", package=name, code=first.code, reason=first.reason, attempt=moved.attempt)
        if verdict.identity is not None:
            await asyncio.to_thread(
                set_aside, root, moved.path, verdict.identity, f"{event.transfer_id}-{moved.attempt}"
            )


def subscribe(bus: Bus, handlers: VerifierHandlers) -> None:
    """Let the handlers have what they hear."""
    bus.subscribe(VERIFY, handlers.verify, given_up=handlers.given_up)
