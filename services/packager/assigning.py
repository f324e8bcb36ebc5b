"""Planning an observation's packages so that no file is ever planned twice.

Invariants:
- Every FilesAssigned is stored under the guard of its kind, after the one before it; so a plan was decided on a
  state that includes every assignment, whoever made it.
- PackagePlanned follows the last FilesAssigned of its package. A planner that is killed between the two leaves a
  package unannounced; the next one announces it with the files it has, after a guarded repeat of one assignment,
  which keeps a planner that is merely slow from adding to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.files import FilesAssigned
from contracts.packages import PackagePlanned, Provenance, package_id
from contracts.states import LocationType
from contracts.subjects import events_stream
from libs.bus.guard import Guard, until_undisputed
from libs.bus.parts import in_parts
from libs.bus.publishing import EventPublisher
from libs.errors import Permanent, Retriable
from libs.opsdb.reader import OpsDbReader
from libs.packaging import PayloadFile
from libs.sites.models import Deployment
from libs.telemetry.logs import logger
from services.packager import queries
from services.packager.naming import envelope, package_name
from services.packager.planning import Limits, ModuleFiles, Phase, choose, number_of, phase, worth_reading

PART_IDS = 5000
"""Ids in one FilesAssigned: nearly every package then is assigned by one message."""

log = logger("packager")


@dataclass(frozen=True, slots=True)
class _Job:
    """One decision about one module of one observation.

    Attributes:
        buffer: Where its packages are to be written.
        causation_id: The event that led to it.
    """

    unit_id: UUID
    provenance: Provenance
    files: ModuleFiles
    now: Phase
    limits: Limits
    priority: int
    buffer: str
    causation_id: str


class _Turn:
    """A guarded chain of assignments."""

    def __init__(self, guard: Guard, after: int) -> None:
        self._guard = guard
        self._after = after

    async def assign(self, event: FilesAssigned, causation_id: str) -> None:
        """Store an assignment after the one before.

        Raises:
            SequenceConflict: Another planner stored one in between.
        """
        self._after = await self._guard.publish(event, after=self._after, causation_id=causation_id)


class Planner:
    """Plans the packages of observations at one site.

    Args:
        opsdb: The site's ops-db.
        publisher: The service's way into the log.
        assigned: The guard on FilesAssigned.
        planned: The newest PackagePlanned is waited for, too, so that none looks unannounced by mistake.
        deployment: Limits, priorities and buffers.
        site: The site.
    """

    def __init__(
        self,
        *,
        opsdb: OpsDbReader,
        publisher: EventPublisher,
        assigned: Guard,
        planned: Guard,
        deployment: Deployment,
        site: str,
    ) -> None:
        self._opsdb = opsdb
        self._publisher = publisher
        self._assigned = assigned
        self._planned = planned
        self._deployment = deployment
        self._site = site

    async def plan(self, unit_id: UUID, causation_id: str) -> None:
        """Plan whatever can be planned of an observation now; store the events.

        Raises:
            Retriable: ``sequence_conflict``: other planners were faster again and again; ``no_buffer``.
            Permanent: ``instrument_unknown``: the deployment does not have it (any more).
        """
        while await until_undisputed(lambda: self._round(unit_id, causation_id)):
            pass

    async def _round(self, unit_id: UUID, causation_id: str) -> bool:
        """One decision on the newest state; whether there is more to decide at once."""
        last = await self._assigned.last_sequence()
        newest = max(last, await self._planned.last_sequence())
        await self._opsdb.wait_applied(events_stream(self._site), newest)
        unit = await queries.unit(self._opsdb, unit_id)
        if unit is None:
            return False
        turn, more = _Turn(self._assigned, last), False
        for files in await queries.modules(self._opsdb, unit_id):
            job = self._job(unit_id, unit, files, causation_id)
            in_use = await queries.highest_number(self._opsdb, unit_id, files.module)
            announced = await self._announce_left_over(job, turn, in_use)
            more |= bool(announced)
            if worth_reading(files, job.now, job.limits):
                more |= await self._plan_free(job, turn, max([in_use, *announced]))
        return more

    def _job(self, unit_id: UUID, unit: queries.Unit, files: ModuleFiles, causation_id: str) -> _Job:
        instrument = self._deployment.instruments.get(unit.instrument)
        if instrument is None:
            raise Permanent(
                "instrument_unknown",
                f"the deployment has no instrument {unit.instrument}, which observed {unit_id}",
                "Put the instrument back into the deployment file, then send the dead letter again.",
            )
        buffers = self._deployment.site(self._site).locations_of(LocationType.BUFFER)
        if not buffers:
            raise Retriable(
                "no_buffer",
                f"site {self._site} has no active BUFFER",
                "Make one active in the deployment file.",
            )
        return _Job(
            unit_id=unit_id,
            provenance=self._provenance(unit_id, unit, files.module),
            files=files,
            now=phase(unit.state, files.awaited),
            limits=Limits(instrument.package_limit, instrument.max_files),
            priority=instrument.priority,
            buffer=next(iter(buffers)),
            causation_id=causation_id,
        )

    def _provenance(self, unit_id: UUID, unit: queries.Unit, module: str) -> Provenance:
        return Provenance(
            observatory=self._deployment.observatory,
            telescope=self._deployment.telescope,
            site=self._site,
            instrument=unit.instrument,
            module=module,
            executed_obs_unit_id=unit_id,
            obs_unit=unit.obs_unit,
            observing_program=unit.observing_program,
            obs_mode=unit.obs_mode,
            target=unit.target,
            start_time=unit.start_time,
            end_time=unit.end_time,
        )

    async def _announce_left_over(self, job: _Job, turn: _Turn, in_use: int) -> list[int]:
        """Announce packages that a killed planner left; returns their numbers."""
        announced = []
        for package in job.files.unannounced:
            number = number_of(package, job.unit_id, job.files.module, in_use)
            if number is None:
                log.error("package_of_unknown_number", package=str(package), unit=str(job.unit_id))
                continue
            chosen = await queries.package_files(self._opsdb, package)
            await turn.assign(await self._fence(job, package, chosen), job.causation_id)
            await self._announce(job, number, chosen.files)
            announced.append(number)
        return announced

    async def _fence(self, job: _Job, package: UUID, chosen: queries.ChosenFiles) -> FilesAssigned:
        """A repeat of one assignment, under an id that was not used yet."""
        part = 1 + await queries.assignments(self._opsdb, events_stream(self._site), package)
        return FilesAssigned(
            package_id=package,
            executed_obs_unit_id=job.unit_id,
            file_ids=(chosen.ids[chosen.files[0].path],),
            part=part,
            parts=part,
        )

    async def _plan_free(self, job: _Job, turn: _Turn, highest: int) -> bool:
        limit = job.limits.max_files + 1
        chosen = await queries.free_files(self._opsdb, job.unit_id, job.files, limit)
        cut_off = len(chosen.files) == limit
        now = Phase.OPEN if cut_off else job.now
        packages = choose(chosen.files, now, job.limits, envelope(job.provenance))
        for number, files in enumerate(packages, start=highest + 1):
            await self._assign(job, turn, number, [chosen.ids[file.path] for file in files])
            await self._announce(job, number, files)
        return cut_off

    async def _assign(self, job: _Job, turn: _Turn, number: int, ids: Sequence[UUID]) -> None:
        package = package_id(job.unit_id, job.files.module, number)
        for event in in_parts(
            ids,
            lambda chunk, part, parts: FilesAssigned(
                package_id=package,
                executed_obs_unit_id=job.unit_id,
                file_ids=chunk,
                part=part,
                parts=parts,
            ),
            max_items=PART_IDS,
        ):
            await turn.assign(event, job.causation_id)

    async def _announce(self, job: _Job, number: int, files: Sequence[PayloadFile]) -> None:
        event = PackagePlanned(
            package_id=package_id(job.unit_id, job.files.module, number),
            number=number,
            name=package_name(job.provenance, number),
            source=job.files.location,
            buffer=job.buffer,
            file_count=len(files),
            payload_bytes=sum(file.size for file in files),
            priority=job.priority,
            provenance=job.provenance,
        )
        await self._publisher.publish([event], causation_id=job.causation_id)
        log.info("planned", package=str(event.package_id), name=event.name, files=event.file_count)
