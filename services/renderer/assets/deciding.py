"""What is said of an asset's render runs: pure, but for the clock that it is given."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.problems import Problem
from contracts.skynet.assets import AssetEvent, RenderMarked
from contracts.skynet.runs import AssetRun
from contracts.skynet.states import RunKind, RunState
from libs.skynet import rendering, runs
from libs.skynet.knowing import KnownAsset
from libs.skynet.rendering import Debounce
from libs.skynet.runs import Made
from services.renderer.assets.settings import VERSION

ITERATIONS = 3
"""A run whose renderer was lost so often is not given to another one: it may be its file that ends them."""

Clock = Callable[[], datetime]


@dataclass(slots=True)
class Beginning:
    """A run begins. Whoever asks holds the lease of the site: the renderer of any run under way is gone.

    Attributes:
        now: The clock.
        debounce: How changes are gathered.
    """

    now: Clock
    debounce: Debounce
    _begun: bool = False

    def next(self, known: KnownAsset) -> AssetEvent | None:
        """That the last run's renderer was lost, that there is a run, that it begins; None if it has begun, or is not due."""
        latest, now = known.latest, self.now()
        match None if latest is None else latest.state:
            case RunState.RUNNING if latest is not None:
                return None if self._begun else self._lost(known, latest, now)
            case RunState.READY if latest is not None:
                self._begun = True
                return runs.start(known.told, latest, now)
        if self._begun or not rendering.eligible(known.told, now, self.debounce):
            return None
        return runs.queue(known.told, RunKind.RENDER, VERSION, now, latest)

    def _lost(self, known: KnownAsset, run: AssetRun, now: datetime) -> AssetEvent:
        error = "renderer_lost: the renderer of this run ended before it was completed"
        if run.iterations < ITERATIONS:
            return runs.give_back(known.told, run, error)
        self._begun = True  # that was it
        return runs.fail(known.told, run, error, now, self.debounce)


def running(known: KnownAsset | None) -> AssetRun | None:
    """The run that has begun, if one has."""
    run = None if known is None else known.latest
    return run if run is not None and run.state is RunState.RUNNING else None


@dataclass(frozen=True, slots=True)
class Ending:
    """A run ends.

    Attributes:
        run: Its id; `iteration` says which taking of it ends.
        outcome: Its pictures, or why there are none.
        now: The clock.
        debounce: How long failures are waited out.
    """

    run: UUID
    iteration: int
    outcome: Made | Problem
    now: Clock
    debounce: Debounce

    def next(self, known: KnownAsset) -> AssetEvent | None:
        """How it ended; None if somebody else has decided."""
        run = running(known)
        if run is None or (run.uid, run.iterations) != (self.run, self.iteration):
            return None
        if isinstance(self.outcome, Made):
            return runs.complete(known.told, run, self.outcome, self.now(), known.current)
        error = f"{self.outcome.code}: {self.outcome.reason}"
        return runs.fail(known.told, run, error, self.now(), self.debounce)


@dataclass(frozen=True, slots=True)
class Remembering:
    """A mark was said.

    Attributes:
        event: It.
        now: The clock.
        debounce: How changes are gathered.
    """

    event: RenderMarked
    now: Clock
    debounce: Debounce

    def next(self, known: KnownAsset) -> AssetEvent | None:
        """The mark once more, if neither the asset has it, or a later one, nor a completed run has answered it."""
        since = self.event.asset.render_dirty_at
        current = known.current.dirty_at if known.current else None
        if since is None or _covers(known.asset.render_dirty_at, since) or _covers(current, since):
            return None
        return rendering.mark(known.told, max(self.now(), since), self.debounce)


def _covers(mark: datetime | None, since: datetime) -> bool:
    return mark is not None and mark >= since
