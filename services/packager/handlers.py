"""What the packager hears, and what it does about it."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from nats.aio.client import Client

from contracts.base import Event
from contracts.copies import CopyScrubbed
from contracts.files import FilesMissing, FilesScanned
from contracts.observations import ObservationFinished
from contracts.packages import PackageAbandoned, PackagePlanned
from contracts.states import PackageState
from libs.breakers import resources
from libs.breakers.shared import Breakers
from libs.bus import fencing
from libs.bus.bus import Bus, DeliveryOf
from libs.bus.subscription import Subscription
from libs.opsdb.reader import OpsDbReader
from libs.packaging import PayloadChanged
from libs.service.blocking import in_thread
from libs.service.service import Place
from libs.service.telling import telling
from libs.telemetry.logs import logger
from services.packager import queries
from services.packager.assigning import Planner
from services.packager.building import Order, build
from services.packager.half_said import HalfSaid
from services.packager.mending import Mender
from services.packager.naming import SUFFIX, bag_info, package_path
from services.packager.outcomes import abandoned, refused_events, sealed_events

OBSERVATION_EVENTS = (FilesScanned, FilesMissing, ObservationFinished)
PATIENCE = 6000
"""Attempts: ops-db may be away, and a BUFFER full, for a long weekend before anything becomes a dead letter."""

PLAN = Subscription("packager", "plan", (*OBSERVATION_EVENTS, PackageAbandoned), max_attempts=PATIENCE)
BUILD = Subscription("packager", "build", (PackagePlanned,), workers=2, max_attempts=PATIENCE)
MEND = Subscription("packager", "mend", (CopyScrubbed,), max_attempts=PATIENCE)
SUBSCRIPTIONS = (PLAN, BUILD, MEND)

PlanTrigger = FilesScanned | FilesMissing | ObservationFinished | PackageAbandoned

log = logger("packager")


class PackagerHandlers:
    """The handlers of one instance.

    Args:
        opsdb: The site's ops-db.
        planner: Plans packages.
        mender: Builds damaged ones anew.
        place: Where the instance runs.
        client: For the progress bucket.
        breakers: Of the BUFFER.
        half_said: Knows of files that cannot be refused any more.
    """

    def __init__(
        self,
        *,
        opsdb: OpsDbReader,
        planner: Planner,
        mender: Mender,
        place: Place,
        client: Client,
        breakers: Breakers,
        half_said: HalfSaid,
    ) -> None:
        self._opsdb = opsdb
        self._planner = planner
        self._mender = mender
        self._place = place
        self._client = client
        self._breakers = breakers
        self._half_said = half_said

    async def plan(self, event: PlanTrigger, delivery: DeliveryOf) -> Sequence[Event]:
        """Plan what can be planned of the event's observation; its events are stored one by one, guarded."""
        await self._opsdb.wait_applied(delivery.stream, delivery.sequence)
        unit_id = event.executed_obs_unit_id
        # Scanned files come in bursts: the last event of a burst plans for all of them.
        if not await queries.newer_known(
            self._opsdb, delivery.stream, delivery.sequence, unit_id, OBSERVATION_EVENTS
        ):
            await self._planner.plan(unit_id, str(delivery.envelope.id))
        return ()

    async def build(self, event: PackagePlanned, delivery: DeliveryOf) -> Sequence[Event]:
        """Write the package, unless it was sealed or abandoned before."""
        await self._opsdb.wait_applied(delivery.stream, delivery.sequence)
        if await queries.package_state(self._opsdb, event.package_id) is not PackageState.PLANNED:
            return ()
        chosen = await queries.package_files(self._opsdb, event.package_id)
        if len(chosen.files) != event.file_count:
            # Killed between FilesRefused and PackageAbandoned: the refused files have left already.
            return [abandoned(event, event.file_count - len(chosen.files))]
        path = package_path(event.provenance, event.name)
        order = Order(
            source=self._root(event.source),
            buffer=self._root(event.buffer),
            path=path,
            bag_name=event.name.removesuffix(SUFFIX),
            info=bag_info(event.provenance, event.package_id, delivery.envelope.time.date()),
            files=chosen.files,
            declared=chosen.declared,
        )
        return await self._built(event, order, chosen.ids)

    async def _built(self, event: PackagePlanned, order: Order, ids: dict[str, UUID]) -> Sequence[Event]:
        facts = {
            "work": "package",
            "package_id": event.package_id,
            "name": event.name,
            "total": event.payload_bytes,
        }
        key = f"packager.{event.package_id}"
        try:
            async with (
                self._breakers.using(resources.disk(event.buffer)),
                telling(self._client, self._place.site, key, facts) as board,
            ):
                sealed = await in_thread(lambda stop: build(order, lambda done: board.show(done=done), stop))
        except PayloadChanged as changed:
            log.warning("abandoned", package=str(event.package_id), reason=changed.problem.reason)
            # Who was paused finds the files of a finished package gone. What is left: a pause between this line and
            # the storing of the events; a package that was sealed before them stays sealed in ops-db.
            fencing.check()
            await self._half_said.require_unsaid(event, changed.files)
            return refused_events(event, changed.files, ids)
        log.info("sealed", package=str(event.package_id), name=event.name, size=sealed.size)
        return sealed_events(event, order.path, sealed, ids)

    async def mend(self, event: CopyScrubbed, delivery: DeliveryOf) -> Sequence[Event]:
        """Build a package anew that was found damaged in the BUFFER it was sealed in."""
        if event.problem is None or not self._mender.concerns(event.copy_ref):
            return ()
        await self._opsdb.wait_applied(delivery.stream, delivery.sequence)
        return await self._mender.mend(event, delivery.envelope.id)

    def _root(self, location: str) -> Path:
        return self._place.disk(location).path


def subscribe(bus: Bus, handlers: PackagerHandlers) -> None:
    """Let the handlers have what they hear."""
    bus.subscribe(PLAN, handlers.plan)
    bus.subscribe(BUILD, handlers.build)
    bus.subscribe(MEND, handlers.mend)
