"""What the archiver hears, and what it does about it."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

from nats.aio.client import Client

from contracts.base import Event
from contracts.copies import CopyScrubbed
from contracts.packages import PackageArchived, PackageFailed, PackageSealed, PackageVerified
from contracts.problems import Problem
from libs.breakers import resources
from libs.breakers.shared import Breakers, Use
from libs.bus import fencing
from libs.bus.bus import Bus, DeliveryOf
from libs.bus.delivery import Delivery
from libs.bus.publishing import EventPublisher
from libs.bus.subscription import Subscription
from libs.errors import ChasquiError, Postponed, Retriable
from libs.opsdb.reader import OpsDbReader
from libs.service.hindsight import Hindsight
from libs.service.service import Place
from libs.service.telling import Board, telling
from libs.telemetry.logs import logger
from services.archiver.archiving import Archive, BufferDamaged, archive, archived_id
from services.archiver.arrivals import Arrival, arrival_of
from services.archiver.filling import Filler
from services.archiver.repairing import Repairer
from services.archiver.rotten import Rotten

PATIENCE = 6000
"""Attempts: a bucket or key that an operator mends after a long weekend makes no dead letters."""

ARCHIVE = Subscription(
    "archiver", "archive", (PackageVerified, PackageSealed), workers=2, max_attempts=PATIENCE
)
REPAIR = Subscription("archiver", "repair", (CopyScrubbed,), max_attempts=PATIENCE)
SUBSCRIPTIONS = (ARCHIVE, REPAIR)

log = logger("archiver")


class ArchiverHandlers:
    """The handlers of one instance.

    Args:
        place: Where the instance runs.
        archives: The site's archives, their stores open.
        client: For the progress bucket.
        publisher: Says what one archive has while another one is waited for.
        breakers: Of the archives and the BUFFERs.
        rotten: Says what is to be said of a damaged copy in a BUFFER.
        filler: Fills an archive from another one when that copy is no more.
        repairer: Mends archive copies.
        hindsight: Knows packages that were archived before.
    """

    def __init__(
        self,
        *,
        place: Place,
        archives: Sequence[Archive],
        client: Client,
        publisher: EventPublisher,
        breakers: Breakers,
        rotten: Rotten,
        filler: Filler,
        repairer: Repairer,
        hindsight: Hindsight,
    ) -> None:
        self._place = place
        self._archives = archives
        self._client = client
        self._publisher = publisher
        self._breakers = breakers
        self._rotten = rotten
        self._filler = filler
        self._repairer = repairer
        self._hindsight = hindsight
        self._proven: dict[UUID, dict[str, PackageArchived]] = {}

    async def archive(self, event: PackageVerified | PackageSealed, delivery: DeliveryOf) -> Sequence[Event]:
        """Put a package into every archive of the site; one that fails keeps it from no other.

        An archive that was given it because of this very event before is not asked again.
        """
        arrival = arrival_of(event, self._place.deployment, self._place.site)
        if arrival is None:
            return ()
        if delivery.attempt > 1 and isinstance(event, PackageSealed):
            await self._rotten.require_mended(arrival)
        package = arrival.package.package_id
        # Proofs of earlier tries hold: while one archive is away, the others are not read back again and again.
        proven = self._proven.setdefault(package, {})
        targets = await self._not_yet(arrival, delivery)
        failures = await self._into_all(targets, arrival, delivery.envelope.time, proven)
        if failures:
            await self._publisher.publish(list(proven.values()), causation_id=str(delivery.envelope.id))
        for damaged in failures:
            if isinstance(damaged, BufferDamaged):
                fencing.check()  # who was paused finds cleared what a successor has archived
                told = await self._rotten.sent_for(event, arrival, damaged.problem, delivery)
                self._proven.pop(package, None)
                return told
        if failures:
            raise self._worst_last(package, failures)
        self._proven.pop(package, None)
        return [*proven.values(), *await self._mended(arrival, delivery)]

    async def _mended(self, arrival: Arrival, delivery: Delivery) -> Sequence[Event]:
        """Archive copies that nothing was found for to mend them with: what has come now is a copy to do it with."""
        events: list[Event] = []
        for copy in await self._rotten.given_up_in(arrival, [one.location for one in self._archives]):
            events += await self._repairer.repair(copy, delivery)
        return events

    def given_up(
        self, event: PackageVerified | PackageSealed, delivery: Delivery, problem: Problem
    ) -> Sequence[Event]:
        """The package was not archived here, and will not be."""
        if arrival_of(event, self._place.deployment, self._place.site) is None:
            return ()
        package, cause = event.package.package_id, delivery.envelope.id
        return [PackageFailed(package_id=package, cause=cause, service="archiver", problem=problem)]

    async def _not_yet(self, arrival: Arrival, delivery: Delivery) -> list[Archive]:
        """The archives of which it was not said yet, because of this event, that they hold the package."""
        site, package = self._place.site, arrival.package.package_id
        told = {target.location: archived_id(site, package, target.location) for target in self._archives}
        before = await self._hindsight.answered(delivery, told.values())
        return [target for target in self._archives if told[target.location] not in before]

    async def _into_all(
        self,
        targets: Sequence[Archive],
        arrival: Arrival,
        created: datetime,
        proven: dict[str, PackageArchived],
    ) -> list[ChasquiError]:
        failures: list[ChasquiError] = []
        told_before = {one.location for one in self._archives} - {one.location for one in targets}
        for target in targets:
            if target.location in proven:
                continue
            try:
                holders = {*proven, *told_before}
                proven[target.location] = await self._into(arrival, target, created, holders)
            except ChasquiError as failure:
                if await self._rotten.is_in_repair(arrival, target.location, failure):
                    continue
                log.warning("not_archived", archive=target.location, **failure.problem.model_dump())
                failures.append(failure)
        return failures

    async def _into(
        self, arrival: Arrival, target: Archive, created: datetime, holders: Collection[str]
    ) -> PackageArchived:
        """Put a package into one archive: from the BUFFER, or from one that has it if that copy is no more."""
        package = arrival.package
        facts = {
            "work": "archive",
            "package_id": package.package_id,
            "name": package.name,
            "location": target.location,
            "total": package.size,
        }
        key = f"archiver.{package.package_id}.{target.location}"
        used = (resources.disk(arrival.buffer), resources.archive(target.location))
        async with (
            self._breakers.using(*used) as use,
            telling(self._client, self._place.site, key, facts) as board,
        ):
            progress = _counted_on(board, use)
            try:
                done = await archive(
                    arrival, target, root=self._root(arrival), created=created, progress=progress
                )
            except BufferDamaged as damaged:
                fencing.check()  # who was paused finds cleared what a successor has archived
                filled = await self._filler.fill(arrival, target, holders, created=created, progress=progress)
                if filled is None:
                    raise
                await self._rotten.note(arrival, damaged.problem)
                done = filled
        log.info("archived", package=package.name, archive=target.location, size=package.size)
        return done

    def _worst_last(self, package: UUID, failures: Sequence[ChasquiError]) -> ChasquiError:
        """Waiting comes before giving up: a package is given up when nothing else can come of it."""
        waits = [failure for failure in failures if isinstance(failure, Retriable)]
        if waits:
            return next((one for one in waits if not isinstance(one, Postponed)), waits[0])
        self._proven.pop(package, None)
        return failures[0]

    def _root(self, arrival: Arrival) -> Path:
        return self._place.disk(arrival.buffer).path


def _counted_on(board: Board, use: Use) -> Callable[[int], None]:
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        board.show(done=done)
        use.works()

    return count


class RepairHandlers:
    """The handlers of one instance for damaged archive copies.

    Args:
        opsdb: The site's ops-db.
        repairer: Mends them.
    """

    def __init__(self, *, opsdb: OpsDbReader, repairer: Repairer) -> None:
        self._opsdb = opsdb
        self._repairer = repairer

    async def repair(self, event: CopyScrubbed, delivery: DeliveryOf) -> Sequence[Event]:
        """Write a damaged archive copy of this site anew, or raise an alarm."""
        if event.problem is None or not self._repairer.concerns(event.copy_ref):
            return ()
        await self._opsdb.wait_applied(delivery.stream, delivery.sequence)
        return await self._repairer.repair(event.copy_ref, delivery)


def subscribe(bus: Bus, handlers: ArchiverHandlers, repairs: RepairHandlers) -> None:
    """Let the handlers have what they hear."""
    bus.subscribe(ARCHIVE, handlers.archive, given_up=handlers.given_up)
    bus.subscribe(REPAIR, repairs.repair)
