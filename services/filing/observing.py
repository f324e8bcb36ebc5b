"""Whether an observation may begin or end: pure decisions."""

from uuid import UUID

from contracts.associations import Exposure, ExposureNamed
from contracts.base import Event
from contracts.observations import (
    FilingAccepted,
    FinishObservation,
    ObservationFinished,
    ObservationStarted,
    Outcome,
    StartObservation,
)
from contracts.problems import Problem
from libs.sites.models import Deployment, InstrumentSettings
from services.filing.decisions import Accept, Decision, Refuse
from services.filing.world import FinishWorld, KnownUnit


def decide_start(
    request: StartObservation,
    deployment: Deployment,
    site: str,
    unit: KnownUnit | None,
    named: Exposure | None = None,
) -> Decision:
    """Whether an observation may begin. Which exposure it is may be said later, by the same start again.

    Args:
        request: What is asked.
        deployment: The deployment.
        site: Where it is asked.
        unit: The observation of the same id, if there is one.
        named: The exposure that it is known to be.
    """
    event = _started(request)
    unit_id = event.executed_obs_unit_id
    if unit is not None:
        if unit.started != event:
            return Refuse((_differs(event, unit),))
        if named is not None and request.exposure not in {None, named}:
            return Refuse((_other_exposure(unit_id, named),))
        events = _exposure(request) if named is None else ()
        return Accept(events, FilingAccepted(executed_obs_unit_id=unit_id, repeated=not events))
    if problems := instrument_problems(request.instrument, deployment, site):
        return Refuse(tuple(problems))
    return Accept((event, *_exposure(request)), FilingAccepted(executed_obs_unit_id=unit_id))


def decide_finish(request: FinishObservation, world: FinishWorld) -> Decision:
    """Whether an observation may end; its instrument may have become unavailable meanwhile."""
    unit_id = request.executed_obs_unit_id
    if world.unit is None:
        return Refuse((not_started(str(unit_id)),))
    finished = world.unit.finished
    if finished is not None:
        same = (finished.end_time, finished.outcome, finished.quality)
        if same == (request.end_time, request.outcome, request.quality):
            return Accept((), FilingAccepted(executed_obs_unit_id=unit_id, repeated=True))
        return Refuse((already_finished(finished, "another end cannot be filed"),))
    if problems := _end_problems(request, world.unit.started, world.file_count):
        return Refuse(tuple(problems))
    event = ObservationFinished(
        executed_obs_unit_id=unit_id,
        instrument=world.unit.started.instrument,
        end_time=request.end_time,
        outcome=request.outcome,
        file_count=world.file_count,
        quality=request.quality,
    )
    return Accept((event,), FilingAccepted(executed_obs_unit_id=unit_id))


def instrument_problems(name: str, deployment: Deployment, site: str) -> list[Problem]:
    """Why an instrument cannot file here."""
    instrument = deployment.instruments.get(name)
    if instrument is None:
        known = ", ".join(sorted(deployment.instruments_at(site))) or "none"
        return [
            Problem(
                code="unknown_instrument",
                reason=f"no instrument is called {name!r}; at {site} there are: {known}",
                remedy="Send the instrument's name as the deployment file has it, or add the instrument there.",
            )
        ]
    return _standing_problems(name, instrument, site)


def not_started(unit_id: str) -> Problem:
    """The problem of an observation nobody started."""
    return Problem(
        code="observation_not_started",
        reason=f"no observation {unit_id} was started here",
        remedy="File its start first; its answer has the id to use.",
    )


def already_finished(finished: ObservationFinished, what: str) -> Problem:
    """The problem of an observation whose list of files is closed."""
    return Problem(
        code="observation_finished",
        reason=f"the observation was filed as {finished.outcome} at {finished.end_time.isoformat()}; {what}",
        remedy="Start another observation for what was made after the end.",
    )


def _started(request: StartObservation) -> ObservationStarted:
    facts = {name: value for name, value in request if name not in {"executed_obs_unit_id", "exposure"}}
    return ObservationStarted(executed_obs_unit_id=request.unit_id(), **facts)


def _exposure(request: StartObservation) -> tuple[Event, ...]:
    if request.exposure is None:
        return ()
    return (ExposureNamed(executed_obs_unit_id=request.unit_id(), exposure=request.exposure),)


def _other_exposure(unit_id: UUID, named: Exposure) -> Problem:
    claims = ", ".join(claim.association_id for claim in named.associations) or "no association"
    return Problem(
        code="observation_differs",
        reason=f"observation {unit_id} was named before as exposure {named.name} of {claims}",
        remedy="Repeat a start as it was sent first, or give the new observation an id of its own.",
    )


def _standing_problems(name: str, instrument: InstrumentSettings, site: str) -> list[Problem]:
    problems = []
    if instrument.site != site:
        problems.append(
            Problem(
                code="instrument_elsewhere",
                reason=f"{name} stands at {instrument.site}, and this is the filing service of {site}",
                remedy=f"Send it to the filing service of {instrument.site}.",
            )
        )
    if not instrument.available:
        problems.append(
            Problem(
                code="instrument_unavailable",
                reason=f"{name} is marked as unavailable in the deployment",
                remedy="Set 'available: true' for it in the deployment file once it may observe again.",
            )
        )
    return problems


def _differs(event: ObservationStarted, unit: KnownUnit) -> Problem:
    names = [name for name, value in event if value != getattr(unit.started, name)]
    return Problem(
        code="observation_differs",
        reason=f"observation {event.executed_obs_unit_id} was started before with another {', '.join(names)}",
        remedy="Repeat a start as it was sent first, or give the new observation an id of its own.",
    )


def _end_problems(request: FinishObservation, started: ObservationStarted, file_count: int) -> list[Problem]:
    problems = []
    if request.end_time < started.start_time:
        problems.append(
            Problem(
                code="end_before_start",
                reason=f"it ends at {request.end_time.isoformat()}, before its start at "
                f"{started.start_time.isoformat()}",
                remedy="Correct end_time; both times are taken from the instrument's clock.",
            )
        )
    if request.outcome is Outcome.COMPLETED and file_count == 0:
        problems.append(
            Problem(
                code="no_files",
                reason="it is said to be completed, but no file was filed in it",
                remedy="File its files first, or finish it with outcome 'aborted'.",
            )
        )
    return problems
