"""What the bundler hears, and what it does about it."""

from collections.abc import Sequence

from contracts.base import Event
from contracts.packages import PackageCorrupted, PackageFailed, PackageSealed
from contracts.problems import Problem
from contracts.transfers import TransferCompleted, TransferFailed
from libs.bus.bus import Bus, DeliveryOf
from libs.bus.delivery import Delivery
from libs.bus.subscription import Hears, Subscription
from libs.opsdb.reader import OpsDbReader
from services.bundler import queries
from services.bundler.resending import Resender
from services.bundler.sealing import Sealer

PATIENCE = 6000
"""Attempts: ops-db may be away for a long weekend before anything becomes a dead letter."""

SEAL = Subscription(
    "bundler", "seal", (PackageSealed, TransferCompleted, TransferFailed), max_attempts=PATIENCE
)
REPAIR = Subscription(
    "bundler", "repair", (PackageCorrupted,), hears=Hears.OTHER_SITES, max_attempts=PATIENCE
)
SUBSCRIPTIONS = (SEAL, REPAIR)

SealTrigger = PackageSealed | TransferCompleted | TransferFailed


class BundlerHandlers:
    """The handlers of one instance.

    Args:
        opsdb: The site's ops-db.
        sealer: Closes bundles.
        resender: Sends damaged packages again.
        site: Where the instance runs.
    """

    def __init__(self, *, opsdb: OpsDbReader, sealer: Sealer, resender: Resender, site: str) -> None:
        self._opsdb = opsdb
        self._sealer = sealer
        self._resender = resender
        self._site = site

    async def seal(self, event: SealTrigger, delivery: DeliveryOf) -> Sequence[Event]:
        """Close what should go now that a package is there or the link is free; stored one by one, guarded."""
        del event  # What it says is in ops-db by now, beside everything else that waits.
        await self._opsdb.wait_applied(delivery.stream, delivery.sequence)
        # Under load the last event of many decides for all of them.
        if not await queries.newer_known(self._opsdb, delivery.stream, delivery.sequence, SEAL.events):
            await self._sealer.seal_ready(str(delivery.envelope.id))
        return ()

    async def repair(self, event: PackageCorrupted, delivery: DeliveryOf) -> Sequence[Event]:
        """Send a damaged package again, if it is this site that has to."""
        if event.origin != self._site:
            return ()
        await self._opsdb.wait_applied(delivery.stream, delivery.sequence)
        return await self._resender.resend(event, delivery)

    def repair_given_up(
        self, event: PackageCorrupted, delivery: Delivery, problem: Problem
    ) -> Sequence[Event]:
        """The package is damaged where it was to be, and is not sent again."""
        if event.origin != self._site:
            return ()
        package, cause = event.package.package_id, delivery.envelope.id
        return [PackageFailed(package_id=package, cause=cause, service="bundler", problem=problem)]


def subscribe(bus: Bus, handlers: BundlerHandlers) -> None:
    """Let the handlers have what they hear."""
    bus.subscribe(SEAL, handlers.seal)
    bus.subscribe(REPAIR, handlers.repair, given_up=handlers.repair_given_up)
