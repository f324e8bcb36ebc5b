"""What the renderer hears, and what it does about it."""

from collections.abc import Sequence

from contracts.base import Event
from contracts.files import AssetRendered, FilesScanned, ProblemFile, RenderFailed
from contracts.problems import Problem
from libs.bus import fencing
from libs.bus.bus import Bus, DeliveryOf
from libs.bus.delivery import Delivery
from libs.bus.subscription import Subscription
from libs.errors import Permanent
from libs.imaging.outcomes import RenderSettings
from libs.imaging.pool import RenderPool
from libs.service.hindsight import Hindsight
from libs.service.service import Place
from services.renderer.rendering import Heard, Outcome, events_of, render

RENDER = Subscription("renderer", "render", (FilesScanned,))
SUBSCRIPTIONS = (RENDER,)

GIVEN_UP = "render_given_up"


class RendererHandlers:
    """The handlers of one instance.

    Args:
        place: Where the instance runs.
        pool: The workers.
        hindsight: Knows events that were answered before.
    """

    def __init__(self, *, place: Place, pool: RenderPool, hindsight: Hindsight) -> None:
        self._place = place
        self._pool = pool
        self._hindsight = hindsight

    async def render(self, event: FilesScanned, delivery: DeliveryOf) -> Sequence[Event]:
        """Make the pictures of the files that have any to show.

        A repeat makes those that are lost again, and says nothing of files that were cleared since.
        """
        try:
            root = self._place.disk(event.location).path
        except KeyError as unknown:
            raise Permanent(
                "location_unknown",
                f"the deployment has no disk location {event.location!r}",
                "Add the location to the deployment file again, then send this letter again.",
            ) from unknown
        answers = (AssetRendered, RenderFailed)
        again = delivery.replayed or await self._hindsight.spoke(
            delivery, event.executed_obs_unit_id, answers
        )
        heard = Heard.AGAIN if again else Heard.FIRST
        settings = self._settings_of(event.instrument)
        outcome = await render(event, root, self._place.previews, self._pool, settings, heard=heard)
        fencing.check()  # who was paused finds files gone that a successor has rendered
        return events_of(event, outcome)

    def _settings_of(self, instrument: str) -> RenderSettings:
        """How its pictures are made; as usual, if the deployment has no such instrument any more."""
        known = self._place.deployment.instruments.get(instrument)
        return RenderSettings() if known is None else known.previews

    def given_up(self, event: FilesScanned, _delivery: Delivery, problem: Problem) -> Sequence[Event]:
        """None of the files has pictures, and none is waited for."""
        why = Problem(
            code=GIVEN_UP, reason=f"{problem.reason} ({problem.code})", remedy="Retry the dead letter."
        )
        files = tuple(ProblemFile(file_id=one.file_id, path=one.path, problem=why) for one in event.files)
        return events_of(event, Outcome((), files))


def subscribe(bus: Bus, handlers: RendererHandlers) -> None:
    """Let the handlers have what they hear."""
    bus.subscribe(RENDER, handlers.render, given_up=handlers.given_up)
