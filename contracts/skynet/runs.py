"""Runs on observation assets: rendering, processing, analysis. A run that has ended is history."""

from uuid import UUID

from pydantic import Field, model_validator

from contracts.base import Message, Utc
from contracts.skynet.assets import AssetEvent
from contracts.skynet.fields import Count, Fraction, Text250, Turn
from contracts.skynet.states import OPEN_RUNS, RunKind, RunState


class AssetRun(Message):
    """A run.

    Attributes:
        number: Counts the runs of its kind on the asset, from 1: of two runs the one of the higher number is newer.
        iterations: How often a worker took it.
        priority: Higher first.
        version: Of what it runs.
        completed_on: When it ended, however it did.
        errors: What went wrong, the latest last.
        stage_name: What it is doing; stages are counted by `stage_index` from 1, `stage_count` is how many there are.
        progress: Of the iteration; None while that is unknown.
        dirty_at: The mark that a render run answers.
        thumbnail_file_id: What a render run made, as `preview_file_id` is.
        output_id: What a processing run made.
    """

    uid: UUID
    kind: RunKind
    number: Turn
    state: RunState = RunState.READY
    iterations: Count = 0
    priority: int = Field(default=0, ge=-1000, le=1000)
    version: Text250
    created_on: Utc
    started_on: Utc | None = None
    completed_on: Utc | None = None
    errors: tuple[Text250, ...] = Field(default=(), max_length=100)
    stage_name: Text250 | None = None
    stage_index: Count | None = None
    stage_count: Count | None = None
    progress: Fraction | None = None
    dirty_at: Utc | None = None
    thumbnail_file_id: UUID | None = None
    preview_file_id: UUID | None = None
    output_id: UUID | None = None

    @model_validator(mode="after")
    def _times_are_as_the_state(self) -> "AssetRun":
        if (self.completed_on is None) != (self.state in OPEN_RUNS):
            raise ValueError("a run has completed_on if, and only if, it has ended")
        if self.state is RunState.RUNNING and (self.started_on is None or not self.iterations):
            raise ValueError("a run that is running was started")
        return self

    @model_validator(mode="after")
    def _stages(self) -> "AssetRun":
        if self.stage_count is not None and (self.stage_index or 0) > self.stage_count:
            raise ValueError("a run is in no stage beyond the last")
        return self

    @model_validator(mode="after")
    def _makes_what_its_kind_does(self) -> "AssetRun":
        pictures = (self.thumbnail_file_id, self.preview_file_id)
        if self.kind is not RunKind.RENDER and (pictures != (None, None) or self.dirty_at is not None):
            raise ValueError("only a render run makes pictures")
        if self.kind is not RunKind.PROCESSING and self.output_id is not None:
            raise ValueError("only a processing run has an output")
        if self.state is not RunState.COMPLETED and (pictures != (None, None) or self.output_id is not None):
            raise ValueError("only a run that is completed made something")
        return self


class RunEvent(AssetEvent):
    """What all events of a run tell: itself and its asset, in full."""

    entity = "asset_run"

    run: AssetRun


class RunQueued(RunEvent):
    """A run is ready."""

    fact = "queued"


class RunStarted(RunEvent):
    """A worker takes a run."""

    fact = "started"


class RunProgressed(RunEvent):
    """A run is further than before."""

    fact = "progressed"


class RunReturned(RunEvent):
    """The worker of a run was lost."""

    fact = "returned"


class RunCompleted(RunEvent):
    """A run made what it was to make; it is current unless a newer one is."""

    fact = "completed"


class RunFailed(RunEvent):
    """A run made nothing; what was current stays so."""

    fact = "failed"


class RunCanceled(RunEvent):
    """A run is not wanted any more."""

    fact = "canceled"
