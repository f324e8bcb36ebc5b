"""One render run of an asset after the other."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from uuid import UUID

from contracts.base import Event
from contracts.problems import Problem
from contracts.skynet.assets import RenderMarked
from contracts.skynet.runs import AssetRun
from libs.bus.bus import Bus, DeliveryOf
from libs.bus.fencing import Overtaken
from libs.bus.subscription import Subscription
from libs.errors import ChasquiError, Retriable, UserError
from libs.imaging.outcomes import NoPreview, NoPreviewCode
from libs.imaging.pool import RenderPool
from libs.service.service import Place
from libs.skynet.knowing import KnownAsset
from libs.skynet.places import candidates
from libs.skynet.rendering import Debounce
from libs.skynet.runs import Made
from libs.skynet.saying import Assets
from libs.storage.paths import resolve_inside
from libs.storage.presence import require_location
from libs.telemetry.logs import logger
from services.renderer.assets import pictures
from services.renderer.assets.deciding import Beginning, Clock, Ending, Remembering, running
from services.renderer.assets.settings import settings_for
from services.renderer.sorting import VANISHED

MARKS = Subscription("renderer", "marks", (RenderMarked,), max_attempts=6000)
SUBSCRIPTIONS = (MARKS,)

log = logger("renderer")


class AssetRenderer:
    """Makes the pictures of assets.

    Args:
        place: Where the instance runs.
        assets: The site's assets.
        pool: The workers.
        now: The clock.
        debounce: How changes are gathered.
    """

    def __init__(
        self, *, place: Place, assets: Assets, pool: RenderPool, now: Clock, debounce: Debounce
    ) -> None:
        self._place = place
        self._assets = assets
        self._pool = pool
        self._now = now
        self._debounce = debounce

    async def marked(self, event: RenderMarked, delivery: DeliveryOf) -> Sequence[Event]:
        """See to it that a mark is not lost: it is said again, if it is."""
        remembering = Remembering(event, self._now, self._debounce)
        await self._assets.settle(event.asset.uid, remembering.next, causation_id=str(delivery.envelope.id))
        return ()

    async def look(self, due: Callable[[], Awaitable[Sequence[UUID]]]) -> None:
        """Render what is due, one asset after the other; one that cannot be rendered now holds up no other.

        Args:
            due: Gives the assets whose marks are old enough.

        Raises:
            Overtaken: Another instance renders.
            Retriable: What `due` raises.
        """
        for uid in await due():
            try:
                await self.render(uid)
            except Overtaken:
                raise
            except Retriable as error:
                log.info("asset_waits", asset=str(uid), **error.problem.model_dump())

    async def render(self, uid: UUID) -> None:
        """One run of an asset, if it is due. Whoever calls holds the site's lease.

        Raises:
            Overtaken: Another instance renders.
            Retriable: ``location_missing``, and what `Assets.settle` raises.
        """
        known = await self._assets.look(uid)
        if known is None:
            return
        found = await asyncio.to_thread(self._find, known)
        begun = await self._assets.settle(uid, Beginning(self._now, self._debounce).next)
        run = running(begun)
        if begun is None or run is None:
            return
        outcome = found if isinstance(found, Problem) else await self._made(begun, run, found)
        ended = await self._assets.settle(
            uid, Ending(run.uid, run.iterations, outcome, self._now, self._debounce).next
        )
        if ended is not None and ended.asset.current_render_run_id == run.uid:
            await asyncio.to_thread(pictures.remove_earlier, self._place.previews, uid, run)
        self._tell(uid, run, outcome)

    async def _made(self, known: KnownAsset, run: AssetRun, path: Path) -> Made | Problem:
        uid, previews = known.asset.uid, self._place.previews
        rendered = await self._pool.render(path, settings_for(known.asset.role))
        if isinstance(rendered, NoPreview):
            if rendered.code is NoPreviewCode.UNREADABLE and not await asyncio.to_thread(path.exists):
                return _vanished(path)
            return Problem(code=rendered.code.value, reason=rendered.reason, remedy="Look at the file.")
        try:
            return await asyncio.to_thread(pictures.keep, previews, uid, run, rendered)
        except Overtaken:
            raise
        except ChasquiError as error:
            return error.problem

    def _find(self, known: KnownAsset) -> Path | Problem:
        """Where the bytes are, or why they have no pictures.

        Raises:
            Retriable: ``location_missing``: they are not there because their disk is away; ``file_unknown``.
        """
        try:
            places = list(candidates(self._place.deployment, known))
            paths = [resolve_inside(root, path) for root, path in places]
        except UserError as error:
            return error.problem
        for path in paths:
            if path.is_file():
                return path
        for root, _ in places:
            require_location(root)
        if not paths:
            raise Retriable(
                "file_unknown",
                f"file {known.asset.file_id} of asset {known.asset.uid} is not filed",
                "File it; the asset waits.",
            )
        return _vanished(paths[0])

    def _tell(self, uid: UUID, run: AssetRun, outcome: Made | Problem) -> None:
        if isinstance(outcome, Made):
            log.info("asset_rendered", asset=str(uid), run=run.number)
        else:
            log.warning("asset_not_rendered", asset=str(uid), run=run.number, **outcome.model_dump())


def _vanished(path: Path) -> Problem:
    return Problem(
        code=VANISHED, reason=f"{path.name!r} is no longer there", remedy="Request its transfer again."
    )


def subscribe(bus: Bus, renderer: AssetRenderer) -> None:
    """Let the renderer have what it hears."""
    bus.subscribe(MARKS, renderer.marked)
