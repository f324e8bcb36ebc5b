"""What the associator hears, and what it does about it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from contracts.associations import (
    AssociationPlanned,
    AssociationReopened,
    Exposure,
    ExposureNamed,
    MembersAdded,
)
from contracts.base import Event
from contracts.observations import ObservationFinished
from contracts.packages import PackageSealed
from libs.associations import knowing
from libs.associations.saying import Associations
from libs.bus.bus import Bus, DeliveryOf
from libs.bus.subscription import Hears, Subscription
from libs.errors import Permanent, UserError
from libs.opsdb.reader import OpsDbReader
from libs.telemetry.logs import logger
from services.associator.gathering import Claimed, Gathering, Making, member_of

PATIENCE = 6000
"""Attempts: ops-db may be away for a long weekend before anything becomes a dead letter."""

GATHER = Subscription(
    "associator",
    "gather",
    (ExposureNamed, ObservationFinished, PackageSealed),
    hears=Hears.EVERY_SITE,
    max_attempts=PATIENCE,
)
OPEN = Subscription(
    "associator", "open", (AssociationPlanned, MembersAdded, AssociationReopened), max_attempts=PATIENCE
)
MAKE = Subscription("associator", "make", (PackageSealed,), hears=Hears.EVERY_SITE, max_attempts=PATIENCE)
SUBSCRIPTIONS = (GATHER, OPEN, MAKE)

Trigger = ExposureNamed | ObservationFinished | PackageSealed
Opened = AssociationPlanned | MembersAdded | AssociationReopened

log = logger("associator")


class AssociatorHandlers:
    """The handlers of one instance. They return nothing: each event is stored, guarded, before the next is decided.

    Args:
        opsdb: The site's ops-db.
        associations: The site's associations.
        site: The site.
        deadline: How long an association waits that names no deadline.
        now: The clock.
    """

    def __init__(
        self,
        *,
        opsdb: OpsDbReader,
        associations: Associations,
        site: str,
        deadline: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._opsdb = opsdb
        self._associations = associations
        self._site = site
        self._deadline = deadline
        self._now = now

    async def gather(self, event: Trigger, delivery: DeliveryOf) -> Sequence[Event]:
        """An exposure was named, or may be there now: tell its associations."""
        await self._opsdb.wait_applied(delivery.stream, delivery.sequence)
        exposure = await knowing.exposure(self._opsdb, unit_of(event))
        if exposure is None:
            return ()
        own = delivery.envelope.site == self._site
        concerned = await self._concerned(exposure, own=own)
        await self._settle_each(concerned, str(delivery.envelope.id))
        return ()

    async def open(self, event: Opened, delivery: DeliveryOf) -> Sequence[Event]:
        """Members of an association may be there already."""
        await self._opsdb.wait_applied(delivery.stream, delivery.sequence)
        await self._settle_each({event.head.association_id: None}, str(delivery.envelope.id))
        return ()

    async def make(self, event: PackageSealed, delivery: DeliveryOf) -> Sequence[Event]:
        """The data sets of products may be in a package: the first file that is called like a product counts."""
        await self._opsdb.wait_applied(delivery.stream, delivery.sequence)
        for found in await knowing.data_sets(self._opsdb, event.package.package_id, self._site):
            making = Making(found.product, found.file, self._now())
            await self._associations.settle(
                found.association_id, making.next, causation_id=str(delivery.envelope.id)
            )
        return ()

    async def look(self) -> None:
        """Collect what is overdue.

        Raises:
            Retriable: ``opsdb_unavailable``, ``projection_lags``, ``bus_unavailable``.
        """
        await self._settle_each(dict.fromkeys(await knowing.due(self._opsdb, self._site)), None)

    async def _concerned(self, exposure: Exposure, *, own: bool) -> dict[str, Claimed | None]:
        """The site's associations that have an exposure, and those that it is to be in, if it was filed here."""
        key = member_of(exposure).key
        found: dict[str, Claimed | None] = dict.fromkeys(
            await knowing.containing(self._opsdb, key, self._site)
        )
        if own:
            found |= {claim.association_id: Claimed.of(exposure, claim) for claim in exposure.associations}
        return found

    async def _settle_each(self, concerned: Mapping[str, Claimed | None], causation_id: str | None) -> None:
        """One that cannot be settled holds up no other; the first such fault is raised at the end."""
        refused: list[UserError] = []
        for name, claimed in concerned.items():
            try:
                await self._settle(name, claimed, causation_id)
            except UserError as error:
                refused.append(error)
        if refused:  # an instrument's words, which nobody waits for any more
            told = refused[0].problem
            raise Permanent(told.code, told.reason, told.remedy) from refused[0]

    async def _settle(self, name: str, claimed: Claimed | None, causation_id: str | None) -> None:
        gathering = Gathering(name, self._now(), self._deadline, claimed)
        also = () if claimed is None else (claimed.member.key,)
        said = await self._associations.settle(name, gathering.next, also=also, causation_id=causation_id)
        for event in said:
            log.info(event.fact, association=name, revision=event.head.revision, state=event.head.state.value)


def unit_of(event: Trigger) -> UUID:
    """The observation that an event is about."""
    match event:
        case PackageSealed():
            return event.package.provenance.executed_obs_unit_id
        case _:
            return event.executed_obs_unit_id


def subscribe(bus: Bus, handlers: AssociatorHandlers) -> None:
    """Let the handlers have what they hear."""
    bus.subscribe(GATHER, handlers.gather)
    bus.subscribe(OPEN, handlers.open)
    bus.subscribe(MAKE, handlers.make)
