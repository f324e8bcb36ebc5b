"""The copy in the BUFFER rotted between its verification and its upload: it is sent for, or waited for."""

from collections.abc import Sequence
from datetime import UTC, datetime

from contracts.base import Event
from contracts.copies import CopyRef, CopyScrubbed
from contracts.packages import PackageCorrupted, PackageSealed, PackageVerified
from contracts.problems import Problem
from contracts.states import CopyKind, CopyState
from contracts.subjects import events_stream
from libs.bus.delivery import Delivery
from libs.bus.publishing import EventPublisher
from libs.copies.records import CopyOnRecord, copy_on_record, last_hop
from libs.errors import ChasquiError, Permanent, Postponed, Retriable
from libs.opsdb.reader import OpsDbReader
from libs.telemetry.logs import logger
from services.archiver.arrivals import Arrival

SENT_FOR = "Nothing to do: this package alone travels again."
NOT_NEEDED = "Nothing to do: the archives of the site have the package, one was filled from another."
BUILT_ANEW = "Nothing to do: the packager builds it anew from SOURCE."

LOOK_AGAIN_S = 2.0
"""Between two looks whether the copy was built anew."""

log = logger("archiver")


class Rotten:
    """Says what is to be said of a damaged copy in a BUFFER.

    Args:
        opsdb: The site's ops-db.
        publisher: Says what must be known before the message in hand is settled.
        site: The site.
    """

    def __init__(self, *, opsdb: OpsDbReader, publisher: EventPublisher, site: str) -> None:
        self._opsdb = opsdb
        self._publisher = publisher
        self._site = site

    async def sent_for(
        self, event: PackageVerified | PackageSealed, arrival: Arrival, found: Problem, delivery: Delivery
    ) -> Sequence[Event]:
        """What is said of a copy that was found damaged while it was read.

        Args:
            event: What had announced the copy.
            arrival: The copy.
            found: What was found.
            delivery: Of that event.

        Raises:
            Retriable: ``buffer_copy_damaged``: it was sealed here, and is built anew; ``origin_unknown``.
            Permanent: ``buffer_copy_cleared``: the janitor has cleared it since, and all is as it should be there.
        """
        known = await copy_on_record(self._opsdb, arrival.package.package_id, arrival.buffer)
        if known is not None and known.state is CopyState.DELETED:
            raise Permanent(
                "buffer_copy_cleared",
                f"{arrival.package.name} was archived and cleared from {arrival.buffer} before",
                "If an archive has lost it, have that copy read: chasqui scrub PACKAGE --now; it is repaired then.",
            )
        match event:
            case PackageSealed():
                scrubbed = _scrubbed(arrival, found, BUILT_ANEW)
                sequence = await self._publisher.publish([scrubbed], causation_id=str(delivery.envelope.id))
                await self._opsdb.wait_applied(events_stream(self._site), sequence)
                damaged = CopyOnRecord(scrubbed.copy_ref, None, scrubbed.problem, given_up=False)
                # An attempt that counts: from the next one on, what is on record is believed, and not read again.
                raise Retriable(**_waits_for(arrival, damaged).problem.model_dump())
            case PackageVerified():
                return await self._from_origin(event, _scrubbed(arrival, found, SENT_FOR))

    async def note(self, arrival: Arrival, found: Problem) -> None:
        """Put down that a copy in a BUFFER is damaged which nobody needs any more: the archives have the package.

        One that the janitor has cleared is not damaged.
        """
        known = await copy_on_record(self._opsdb, arrival.package.package_id, arrival.buffer)
        if known is None or (known.state is not CopyState.DELETED and known.problem is None):
            await self._publisher.publish([_scrubbed(arrival, found, NOT_NEEDED)])

    async def is_in_repair(self, arrival: Arrival, archive: str, failure: ChasquiError) -> bool:
        """Whether an archive has something else under a package's key because its copy is damaged, as is on record.

        It is written anew by whoever follows what was found of it.
        """
        if failure.problem.code != "object_differs":
            return False
        known = await copy_on_record(self._opsdb, arrival.package.package_id, archive)
        return known is not None and known.problem is not None

    async def given_up_in(self, arrival: Arrival, archives: Sequence[str]) -> Sequence[CopyRef]:
        """The copies in some archives for which nothing was found to mend them with; none while ops-db is away."""
        try:
            known = [await copy_on_record(self._opsdb, arrival.package.package_id, one) for one in archives]
        except Retriable as away:
            log.warning("repairs_not_looked_for", package=arrival.package.name, **away.problem.model_dump())
            return ()
        return [one.ref for one in known if one is not None and one.problem is not None and one.given_up]

    async def require_mended(self, arrival: Arrival) -> None:
        """Do not read a copy again while it is known to be damaged.

        Raises:
            Postponed: ``buffer_copy_damaged``: the packager is at it.
            Permanent: ``buffer_copy_lost``: nothing was found to build it anew from.
        """
        known = await copy_on_record(self._opsdb, arrival.package.package_id, arrival.buffer)
        if known is not None and known.problem is not None:
            raise _waits_for(arrival, known)

    async def _from_origin(self, event: PackageVerified, scrubbed: CopyScrubbed) -> Sequence[Event]:
        package = event.package
        hop = await last_hop(self._opsdb, package.package_id, event.location)
        if hop is None:
            raise Retriable(
                "origin_unknown",
                f"{package.name} is damaged in {event.location}, and ops-db does not know yet where it came from",
                "Nothing, if it passes; otherwise look whether the projector runs and what it logs.",
            )
        if hop.transfer_id != event.transfer_id:
            return ()  # It was sent again since: what is said of that one counts.
        corrupted = PackageCorrupted(
            package=package,
            bundle_id=hop.bundle_id,
            transfer_id=hop.transfer_id,
            origin=hop.origin,
            origin_location=hop.origin_location,
            origin_path=event.path,
            location=event.location,
            attempt=hop.attempt,
            problems=() if scrubbed.problem is None else (scrubbed.problem,),
        )
        return [scrubbed, corrupted]


def _scrubbed(arrival: Arrival, found: Problem, remedy: str) -> CopyScrubbed:
    ref = CopyRef(
        kind=CopyKind.RAW_DATA_PACKAGE,
        entity_id=arrival.package.package_id,
        location=arrival.buffer,
        path=arrival.path,
        size=arrival.package.size,
    )
    problem = Problem(code=found.code, reason=found.reason, remedy=remedy)
    return CopyScrubbed(copy_ref=ref, scrubbed_at=datetime.now(UTC), problem=problem)


def _waits_for(arrival: Arrival, known: CopyOnRecord) -> ChasquiError:
    found = known.problem.reason if known.problem is not None else "it cannot be used"
    told = f"{arrival.package.name} in {arrival.buffer} is damaged: {found}"
    if not known.given_up:
        return Postponed("buffer_copy_damaged", told, BUILT_ANEW, delay_s=LOOK_AGAIN_S)
    return Permanent(
        "buffer_copy_lost",
        f"{told}, and it cannot be built anew from SOURCE",
        f"Put the files back to SOURCE as they were, or a whole copy of the package to {arrival.path} in "
        f"{arrival.buffer}; then send the dead letter again.",
    )
