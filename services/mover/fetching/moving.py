"""The bytes of one asset: copied, with what is said of it meanwhile, and read back."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from libs.bus.fencing import Overtaken
from libs.bus.pulse import beat
from libs.bus.repeating import repeating
from libs.errors import Permanent, Retriable
from libs.skynet.saying import Assets
from libs.skynet.transfers import Proof
from libs.storage.files import sha256_file
from libs.storage.paths import resolve_inside
from libs.storage.presence import require_location
from libs.telemetry.logs import logger
from libs.transfer.engine import (
    Cancel,
    Existing,
    Failed,
    Progress,
    Recovery,
    TransferEngine,
    TransferItem,
)
from libs.transfer.ratelimit import RateLimit
from libs.transfer.room import check_room
from services.mover.fetching.deciding import Clock, Going, is_held
from services.mover.fetching.planning import Way

LOOK_EVERY_S = 1.0

log = logger("mover")


def prepare(uid: UUID, way: Way) -> TransferItem:
    """What the engine is asked to copy, if it could begin now; blocking, for what is there already is read.

    Raises:
        Retriable: ``location_missing`` when the disk of either end is away, ``disk_full``, ``io_error``.
        UserError: A path leads out of its location, or passes a link.
    """
    try:
        return _prepared(uid, way)
    except OSError as error:
        raise Retriable(
            "io_error", f"{way.destination}: {error}", "Check the disk and the mount; the asset waits."
        ) from error


def _prepared(uid: UUID, way: Way) -> TransferItem:
    require_location(way.destination)
    require_location(way.source, way.source_path)
    target = resolve_inside(way.destination, way.destination_path)
    item = TransferItem(
        id=str(uid),
        source=resolve_inside(way.source, way.source_path),
        destination=target,
        size=way.size,
        sha256=way.sha256,
        existing=_about_existing(target, way.sha256),
    )
    check_room([item], reserve=0)
    return item


def proof_of(item: TransferItem) -> Proof:
    """What came, read back; blocking."""
    sha256 = sha256_file(item.destination, lambda _: beat())
    return Proof(item.size, item.sha256, item.destination.stat().st_size, sha256)


class Courier:
    """Moves the bytes of one asset, as long as it is to.

    Args:
        assets: Where it is said how far they are.
        me: Who fetches.
        now: The clock.
        check: Raises where a successor may be at the same work.
        works: Hears that bytes move.
    """

    def __init__(
        self,
        assets: Assets,
        *,
        me: str,
        now: Clock,
        check: Callable[[], object],
        works: Callable[[], None],
    ) -> None:
        self._assets = assets
        self._me = me
        self._now = now
        self._check = check
        self._works = works
        self._left = Cancel()

    async def carry(
        self, uid: UUID, item: TransferItem, engine: TransferEngine, limit: RateLimit | None, cause: str
    ) -> Proof | Failed | None:
        """Copy the bytes, and read them back.

        Returns:
            What came; why it did not; or None if it is not wanted any more.
        """
        done = 0

        def heard(progress: Progress) -> None:
            nonlocal done
            done = max(done, progress.bytes_done)
            if progress.rate:
                self._works()

        async def tell() -> None:
            await self._tell(uid, Going(self._me, done, item.size, self._now), cause)

        async with repeating(tell, LOOK_EVERY_S):
            try:
                report = await engine.transfer([item], progress=heard, limit=limit, cancel=self._left)
            except Retriable as full:
                return Failed(item, full.problem, Recovery.RETRY)
            if self._left.requested:
                return None
            if report.failed:
                return report.failed[0]
            return await asyncio.to_thread(proof_of, item)

    async def _tell(self, uid: UUID, going: Going, cause: str) -> None:
        """Say how far it is; stop if somebody else has decided. Bytes go on while nothing can be said."""
        try:
            known = await self._assets.glance(uid)
            if known is not None and going.next(known) is not None:
                known = await self._assets.settle(uid, going.next, causation_id=cause, check=self._check)
            if not is_held(known, self._me):
                self._left.set()
        except Overtaken:
            self._left.set()
        except Retriable as error:
            log.info("progress_not_told", asset=str(uid), **error.problem.model_dump())


def _about_existing(target: Path, sha256: str) -> Existing:
    """What is there and right is kept; what is wrong is of an attempt whose bytes did not count."""
    with suppress(Permanent, OSError):  # nothing is there, or nothing that can be read
        if sha256_file(target, lambda _: beat()) != sha256:
            return Existing.REPLACE
    return Existing.KEEP
