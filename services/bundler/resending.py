"""Before a package is sent again, the copy that would be sent is read: a damaged one would only arrive damaged."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from nats.aio.client import Client

from contracts.base import Event
from contracts.copies import CopyRef, CopyScrubbed
from contracts.packages import PackageCorrupted
from contracts.problems import Problem
from contracts.states import CopyKind
from contracts.subjects import events_stream
from libs.breakers import resources
from libs.breakers.shared import Breakers
from libs.bus.delivery import Delivery
from libs.bus.publishing import EventPublisher
from libs.copies.examining import Damaged, Intact, Verdict, examine, summed
from libs.copies.records import CopyOnRecord, copy_on_record, last_hop
from libs.errors import Permanent, Retriable
from libs.opsdb.reader import OpsDbReader
from libs.service.blocking import in_thread
from libs.service.service import Place
from libs.service.telling import telling
from libs.telemetry.logs import logger
from services.bundler import queries
from services.bundler.repairing import Asked, repair, without_a_copy

REMEDY = "Nothing to do: it is built anew from SOURCE, or sent again by the site that it came from."

log = logger("bundler")


class Resender:
    """Sends damaged packages again, each from a copy that was read and found whole.

    Args:
        opsdb: The site's ops-db.
        place: Where the instance runs.
        client: For the progress bucket.
        publisher: Says what must be known before the message in hand is settled.
        breakers: Of the BUFFERs.
    """

    def __init__(
        self,
        *,
        opsdb: OpsDbReader,
        place: Place,
        client: Client,
        publisher: EventPublisher,
        breakers: Breakers,
    ) -> None:
        self._opsdb = opsdb
        self._place = place
        self._client = client
        self._publisher = publisher
        self._breakers = breakers

    async def resend(self, event: PackageCorrupted, delivery: Delivery) -> Sequence[Event]:
        """What is to be said for a package that arrived damaged to travel again.

        Raises:
            Retriable: The copy here is damaged, too, and is being built anew; or it cannot be read now.
            Permanent: It is given up.
        """
        if await queries.was_sent_again(self._opsdb, event):
            return ()
        site = self._place.site
        route = await queries.route_of(self._opsdb, event.bundle_id)
        asked = Asked.BY_OPERATOR if delivery.burials else Asked.BY_EVENT
        bundle = repair(event, self._place.deployment, site, route=route, asked=asked)
        origin = await copy_on_record(self._opsdb, event.package.package_id, event.origin_location)
        damaged_before = origin is not None and origin.problem is not None
        if origin is not None and damaged_before and delivery.attempt > 1 and self._built_here(event):
            raise without_a_copy(event, origin)
        match await self._read(event):
            case Intact():
                return [self._scrubbed(event, None), bundle] if damaged_before else [bundle]
            case Damaged(problems):
                log.warning("origin_damaged", package=event.package.name, location=event.origin_location)
                return await self._without_a_copy(event, self._scrubbed(event, summed(problems)), delivery)

    def _built_here(self, event: PackageCorrupted) -> bool:
        return event.package.provenance.site == self._place.site

    async def _without_a_copy(
        self, event: PackageCorrupted, scrubbed: CopyScrubbed, delivery: Delivery
    ) -> Sequence[Event]:
        """Have it built anew here, or sent again by the site before."""
        if not self._built_here(event):
            return [scrubbed, await self._passed_back(event, scrubbed)]
        sequence = await self._publisher.publish([scrubbed], causation_id=str(delivery.envelope.id))
        await self._opsdb.wait_applied(events_stream(self._place.site), sequence)
        damaged = CopyOnRecord(scrubbed.copy_ref, state=None, problem=scrubbed.problem, given_up=False)
        # An attempt that counts: from the next one on, what is on record is believed, and not read again.
        raise Retriable(**without_a_copy(event, damaged).problem.model_dump())

    async def _passed_back(self, event: PackageCorrupted, scrubbed: CopyScrubbed) -> PackageCorrupted:
        """The same, said of the relay's copy to the site that it came from."""
        hop = await last_hop(self._opsdb, event.package.package_id, event.origin_location)
        if hop is None:
            raise Permanent(
                "origin_copy_lost",
                f"{scrubbed.copy_ref.path} in {event.origin_location} is damaged, and nothing tells where it came from",
                "Put a whole copy of the package there, then send the dead letter again.",
            )
        return event.model_copy(
            update={
                "bundle_id": hop.bundle_id,
                "transfer_id": hop.transfer_id,
                "origin": hop.origin,
                "origin_location": hop.origin_location,
                "location": event.origin_location,
                "problems": (scrubbed.problem,) if scrubbed.problem is not None else (),
            }
        )

    async def _read(self, event: PackageCorrupted) -> Verdict:
        package, root = event.package, self._root(event)
        facts = {
            "work": "repair",
            "package_id": package.package_id,
            "name": package.name,
            "location": event.origin_location,
            "total": package.size,
        }
        key = f"bundler.{package.package_id}"
        async with (
            self._breakers.using(resources.disk(event.origin_location)),
            telling(self._client, self._place.site, key, facts) as board,
        ):
            return await in_thread(
                lambda stop: examine(
                    root,
                    event.origin_path,
                    package,
                    read=lambda done: board.show(done=done),
                    stop=stop,
                    remedy=REMEDY,
                )
            )

    def _root(self, event: PackageCorrupted) -> Path:
        if event.origin_location not in self._place.settings.locations:
            raise Permanent(
                "location_unknown",
                f"{event.package.name} is to be sent again from {event.origin_location}, which this site has not",
                "Put the location back into the deployment file, then send the dead letter again.",
            )
        return self._place.disk(event.origin_location).path

    def _scrubbed(self, event: PackageCorrupted, problem: Problem | None) -> CopyScrubbed:
        ref = CopyRef(
            kind=CopyKind.RAW_DATA_PACKAGE,
            entity_id=event.package.package_id,
            location=event.origin_location,
            path=event.origin_path,
            size=event.package.size,
        )
        return CopyScrubbed(copy_ref=ref, scrubbed_at=datetime.now(UTC), problem=problem)
