"""What the renderer hears, and what it does about it."""

from collections.abc import Sequence

from contracts.base import Event
from contracts.files import FilesScanned, ProblemFile
from contracts.problems import Problem
from libs.bus.bus import Bus, DeliveryOf
from libs.bus.delivery import Delivery
from libs.bus.subscription import Subscription
from libs.errors import Permanent
from libs.imaging.outcomes import RenderSettings
from libs.imaging.pool import RenderPool
from libs.service.service import Place
from services.renderer.rendering import Outcome, events_of, render, without_vanished

RENDER = Subscription("renderer", "render", (FilesScanned,))
SUBSCRIPTIONS = (RENDER,)

GIVEN_UP = "render_given_up"


class RendererHandlers:
    """The handlers of one instance.

    Args:
        place: Where the instance runs.
        pool: The workers.
        settings: How the pictures are made.
    """

    def __init__(self, *, place: Place, pool: RenderPool, settings: RenderSettings) -> None:
        self._place = place
        self._pool = pool
        self._settings = settings

    async def render(self, event: FilesScanned, delivery: DeliveryOf) -> Sequence[Event]:
        """Make the pictures of the files that have any to show. A repeat makes the same ones again.

        Of files that have gone since, what was said when they were there stays true: a replay says nothing new.
        """
        try:
            root = self._place.disk(event.location).path
        except KeyError as unknown:
            raise Permanent(
                "location_unknown",
                f"the deployment has no disk location {event.location!r}",
                "Add the location to the deployment file again, then send this letter again.",
            ) from unknown
        outcome = await render(event, root, self._place.previews, self._pool, self._settings)
        return events_of(event, without_vanished(outcome) if delivery.replayed else outcome)

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
