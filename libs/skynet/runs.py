"""What becomes of a run on an asset, and of the asset by it.

What a run made is current once it is completed, unless a newer run was completed before it. Rendering swaps the
pictures and the pointer together, and never says that the pictures are out of date.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from contracts.base import derived_id
from contracts.skynet.assets import AssetCare, AssetEvent, ObservationAsset
from contracts.skynet.fields import changed
from contracts.skynet.runs import (
    AssetRun,
    RunCanceled,
    RunCompleted,
    RunFailed,
    RunProgressed,
    RunQueued,
    RunReturned,
    RunStarted,
)
from contracts.skynet.states import OPEN_RUNS, IllegalStep, RunKind, RunState, RunStep, run_after
from libs.skynet import rendering
from libs.skynet.rendering import Debounce

MOST_ERRORS = 100
MOST_OF_AN_ERROR = 250


class _Common(TypedDict):
    turn: int
    asset: ObservationAsset
    care: AssetCare


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a run is.

    Attributes:
        name: What it is doing.
        index: From 1, of `count` stages.
        progress: Of the iteration; None if that is unknown.
    """

    name: str
    index: int
    count: int
    progress: float | None


@dataclass(frozen=True, slots=True)
class Made:
    """What a run made: a render run pictures, a processing run an output."""

    thumbnail: UUID | None = None
    preview: UUID | None = None
    output: UUID | None = None


def queue(
    known: AssetEvent,
    kind: RunKind,
    version: str,
    now: datetime,
    latest: AssetRun | None,
    *,
    priority: int = 0,
) -> RunQueued:
    """A new run of a kind.

    Args:
        known: The last event of the asset.
        kind: Its kind.
        version: Of what it runs.
        now: When it is queued.
        latest: The run of the highest number of this kind, if there is one.
        priority: Higher first.

    Raises:
        IllegalStep: The latest render run has not ended: there is one of an asset at a time.
    """
    if kind is RunKind.RENDER and latest is not None and latest.state in OPEN_RUNS:
        raise IllegalStep(f"render run {latest.number} has not ended")
    counter = f"{kind}_runs"
    number: int = getattr(known.care, counter) + 1
    run = AssetRun(
        uid=derived_id("asset_run", known.asset.uid, kind, number),
        kind=kind,
        number=number,
        version=version,
        priority=priority,
        created_on=now,
    )
    care = changed(known.care, {counter: number})
    return RunQueued(turn=known.turn + 1, asset=known.asset, care=care, run=run)


def start(known: AssetEvent, run: AssetRun, now: datetime) -> RunStarted:
    """A worker takes it; a render run answers the mark that there is now.

    Raises:
        IllegalStep: It is not ready.
    """
    answers = known.asset.render_dirty_at if run.kind is RunKind.RENDER else None
    update = {
        "iterations": run.iterations + 1,
        "started_on": now,
        "dirty_at": answers,
        "progress": None,
        "stage_name": None,
        "stage_index": None,
        "stage_count": None,
    }
    return RunStarted(**_next(known), run=_after(run, RunStep.STARTED, update))


def progress(known: AssetEvent, run: AssetRun, stage: Stage) -> RunProgressed:
    """It is in this stage; progress never falls within an iteration.

    Raises:
        IllegalStep: It is not running.
    """
    further = run.progress
    if stage.progress is not None:
        further = max(stage.progress, run.progress or 0.0)
    update = {
        "stage_name": stage.name,
        "stage_index": max(stage.index, run.stage_index or 0),
        "stage_count": stage.count,
        "progress": further,
    }
    return RunProgressed(**_next(known), run=_after(run, RunStep.PROGRESSED, update))


def give_back(known: AssetEvent, run: AssetRun, error: str) -> RunReturned:
    """Its worker was lost.

    Raises:
        IllegalStep: It is not running.
    """
    return RunReturned(**_next(known), run=_after(run, RunStep.RETURNED, {"errors": _errors(run, error)}))


def complete(
    known: AssetEvent, run: AssetRun, made: Made, now: datetime, current: AssetRun | None
) -> RunCompleted:
    """It made what it was to make.

    Args:
        known: The last event of the asset.
        run: The run.
        made: What it made.
        now: When it did.
        current: The run that the asset's pointer of this kind is at, if it is at one.

    Raises:
        IllegalStep: It is not running, or `current` is another run.
    """
    asset, care = known.asset, known.care
    pointer = getattr(asset, f"current_{run.kind}_run_id")
    if pointer != (current.uid if current else None):
        raise IllegalStep(f"the current run of {run.kind} is {pointer}")
    update = {
        "progress": 1.0,
        "completed_on": now,
        "thumbnail_file_id": made.thumbnail,
        "preview_file_id": made.preview,
        "output_id": made.output,
    }
    ended = _after(run, RunStep.COMPLETED, update)
    if current is None or current.number < run.number:
        asset = changed(asset, _pointers(ended))
        if run.kind is RunKind.RENDER:
            of_asset, of_care = rendering.rendered(asset, run.dirty_at)
            asset, care = changed(asset, of_asset), changed(care, of_care)
    return RunCompleted(turn=known.turn + 1, asset=asset, care=care, run=ended)


def fail(known: AssetEvent, run: AssetRun, error: str, now: datetime, debounce: Debounce) -> RunFailed:
    """It made nothing; the pictures that there are stay.

    Raises:
        IllegalStep: It is not running.
    """
    asset, care = known.asset, known.care
    ended = _after(run, RunStep.FAILED, {"completed_on": now, "errors": _errors(run, error)})
    if run.kind is RunKind.RENDER:
        of_asset, of_care = rendering.not_rendered(asset, care, now, debounce)
        asset, care = changed(asset, of_asset), changed(care, of_care)
    return RunFailed(turn=known.turn + 1, asset=asset, care=care, run=ended)


def cancel(known: AssetEvent, run: AssetRun, now: datetime) -> RunCanceled:
    """Nobody wants it any more.

    Raises:
        IllegalStep: It has ended.
    """
    return RunCanceled(**_next(known), run=_after(run, RunStep.CANCELED, {"completed_on": now}))


def _pointers(run: AssetRun) -> Mapping[str, object]:
    match run.kind:
        case RunKind.RENDER:
            return {
                "current_render_run_id": run.uid,
                "thumbnail_file_id": run.thumbnail_file_id,
                "preview_file_id": run.preview_file_id,
            }
        case RunKind.PROCESSING:
            return {"current_processing_run_id": run.uid, "current_processing_output_id": run.output_id}
        case RunKind.ANALYSIS:
            return {"current_analysis_run_id": run.uid}


def _after(run: AssetRun, step: RunStep, update: Mapping[str, object]) -> AssetRun:
    state: RunState = run_after(step, run.state)
    return changed(run, {**update, "state": state})


def _errors(run: AssetRun, error: str) -> tuple[str, ...]:
    return (*run.errors, error[:MOST_OF_AN_ERROR])[-MOST_ERRORS:]


def _next(known: AssetEvent) -> _Common:
    return {"turn": known.turn + 1, "asset": known.asset, "care": known.care}
