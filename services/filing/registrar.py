"""The desk: decides each request on the present state and stores what it accepts before it answers."""

import asyncio
from collections.abc import Awaitable, Callable

from contracts.observations import FileFiles, FinishObservation, StartObservation
from libs.bus.publishing import EventPublisher, SequenceConflict
from libs.sites.models import Deployment
from libs.telemetry.logs import logger
from services.filing.answers import Answer
from services.filing.decisions import Accept, Decision, Refuse
from services.filing.files import Registration, decide_files
from services.filing.knowledge import Knowledge, View
from services.filing.logtail import Found, filing_subjects
from services.filing.observing import decide_finish, decide_start, instrument_problems, not_started
from services.filing.paths import PathChecker
from services.filing.settling import Settler

Decide = Callable[[View], Awaitable[Decision]]

log = logger("filing")


class Registrar:
    """Takes the requests of a site's instruments.

    All methods raise Retriable while a server is away; nothing is lost then, for the files are on the disk.

    Args:
        deployment: The deployment.
        site: The site.
        publisher: Stores this service's events.
        knowledge: The present state.
        settler: Settles the requests, one after the other.
    """

    def __init__(
        self,
        deployment: Deployment,
        site: str,
        publisher: EventPublisher,
        knowledge: Knowledge,
        settler: Settler,
    ) -> None:
        self._deployment = deployment
        self._site = site
        self._publisher = publisher
        self._knowledge = knowledge
        self._guarded = filing_subjects(site)
        self._settler = settler

    async def start(self, request: StartObservation) -> Answer:
        """An observation begins."""
        unit_id = request.unit_id()

        async def decide(view: View) -> Decision:
            named = None if request.exposure is None else await view.exposure(unit_id)
            return decide_start(request, self._deployment, self._site, await view.unit(unit_id), named)

        return await self._settle(decide)

    async def file(self, request: FileFiles) -> Answer:
        """Files are an observation's."""

        async def decide(view: View) -> Decision:
            unit = await view.unit(request.executed_obs_unit_id)
            if unit is None:
                return Refuse((not_started(str(request.executed_obs_unit_id)),))
            registration = await self._registration(request, unit.started.instrument)
            if isinstance(registration, Refuse):
                return registration
            paths = [registration.source_path(file) for file in request.files if "\0" not in file.path]
            location = registration.settings.source
            return decide_files(registration, await view.files(request.executed_obs_unit_id, location, paths))

        return await self._settle(decide)

    async def finish(self, request: FinishObservation) -> Answer:
        """An observation ends."""

        async def decide(view: View) -> Decision:
            return decide_finish(request, await view.finish(request.executed_obs_unit_id))

        return await self._settle(decide)

    async def _registration(self, request: FileFiles, name: str) -> Registration | Refuse:
        problems = tuple(instrument_problems(name, self._deployment, self._site))
        settings = self._deployment.instruments.get(name)
        if settings is None:
            return Refuse(problems)
        folder = self._deployment.instrument_folder(name)
        checker = PathChecker(self._deployment.disk(settings.source).path, folder)
        found = await asyncio.to_thread(checker.problems, [file.path for file in request.files])
        return Registration(request, name, settings, folder, found, problems)

    async def _settle(self, decide: Decide) -> Answer:
        async def decided() -> Decision:
            async with self._knowledge.view() as view:
                return await decide(view)

        return await self._settler.settle(decided, self._stored, self._guarded)

    async def _stored(self, decision: Accept) -> bool:
        """Store the events of a decision, unless somebody else stores another one in between."""
        for event in decision.events:
            try:
                sequence = await self._publisher.publish_guarded(
                    event, guarded=self._guarded, last_sequence=self._knowledge.last
                )
            except SequenceConflict:
                log.debug("decided_again", about=str(event.about()))
                return False
            self._knowledge.stored(Found(sequence, event, event.event_id(self._site)))
        return True
