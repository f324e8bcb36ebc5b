"""The assets of a site in memory, for tests of what is said in which order: every event counts at once."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from contracts.skynet.assets import AssetEvent
from contracts.skynet.runs import RunCompleted, RunEvent
from libs.bus import fencing
from libs.skynet.knowing import KnownAsset, KnownFile
from libs.skynet.saying import Assets, Decide


class ToldAssets(Assets):
    """As `Assets`, without a server; what is said is kept in `said`.

    Args:
        first: The first event of the one asset that there is.
        file: Its file.
    """

    def __init__(self, first: AssetEvent, file: KnownFile | None) -> None:
        self.known = KnownAsset(first, file, None, None)
        self.said: list[AssetEvent] = []
        self.before: Callable[[AssetEvent], None] = lambda _: None

    @property
    def facts(self) -> list[str]:
        """What was said, in words."""
        return [f"{event.entity}.{event.fact}" for event in self.said]

    def say(self, event: AssetEvent) -> None:
        """Somebody says something."""
        assert event.turn > self.known.told.turn
        known = replace(self.known, told=event)
        if isinstance(event, RunEvent):
            latest, current = self.known.latest, self.known.current
            if latest is None or event.run.number >= latest.number:
                latest = event.run
            if isinstance(event, RunCompleted) and event.asset.current_render_run_id == event.run.uid:
                current = event.run
            known = replace(known, latest=latest, current=current)
        self.known = known
        self.said.append(event)

    async def look(self, uid: UUID) -> KnownAsset | None:
        return self.known if uid == self.known.asset.uid else None

    async def glance(self, uid: UUID) -> KnownAsset | None:
        return await self.look(uid)

    async def settle(
        self,
        uid: UUID,
        decide: Decide,
        *,
        causation_id: str | None = None,  # noqa: ARG002 - as the overridden
        check: Callable[[], object] = fencing.check,
    ) -> KnownAsset | None:
        if uid != self.known.asset.uid:
            return None
        while (event := decide(self.known)) is not None:
            check()
            self.before(event)
            self.say(event)
        return self.known
