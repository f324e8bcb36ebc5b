"""What the mover hears of assets, and what it does about it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

from contracts.base import Event
from contracts.problems import Problem
from contracts.skynet.assets import AssetTransferFailed, AssetTransferRequested
from libs.breakers import resources
from libs.breakers.resources import Resource
from libs.breakers.shared import Breakers
from libs.bus import fencing
from libs.bus.bus import Bus, DeliveryOf
from libs.bus.leases import Lease
from libs.bus.subscription import Subscription
from libs.errors import Permanent, Postponed, Retriable, UserError
from libs.service.service import Place
from libs.skynet import transfers
from libs.skynet.knowing import KnownAsset
from libs.skynet.rendering import Debounce
from libs.skynet.saying import Assets, Decide
from libs.skynet.transfers import Proof
from libs.telemetry.logs import logger
from libs.transfer.engine import Failed, Recovery, TransferEngine, TransferItem
from libs.transfer.local import LocalEngine, LocalSettings
from libs.transfer.ratelimit import RateLimit
from services.mover.fetching.deciding import Asking, Clock, Ending, Failing, Retry, Taking, is_held, is_open
from services.mover.fetching.moving import Courier, prepare
from services.mover.fetching.planning import Way, plan

PATIENCE = 6000
"""Attempts: a disk that is away over a long weekend makes no dead letters."""

FETCH = Subscription("mover", "fetch", (AssetTransferRequested,), workers=2, max_attempts=PATIENCE)
RETRY = Subscription("mover", "retry", (AssetTransferFailed,), max_attempts=PATIENCE)
SUBSCRIPTIONS = (FETCH, RETRY)

LEASES = 1024
"""Names of leases stay in their bucket: assets share this many. Two that share one are fetched one after the other."""
TURNS = 2.0
"""So many times the life of a lease it is waited for, for one whose holder is gone is free after one."""
BUSY_S = 10.0

log = logger("mover")


def lease_name(uid: UUID) -> str:
    """The lease that the transfer of an asset needs."""
    return f"asset.{uid.int % LEASES}"


class FetchHandlers:
    """The handlers of one instance. They return nothing: each event is stored, guarded, before the next is decided.

    Args:
        place: Where the instance runs.
        assets: The site's assets.
        lease_of: Makes a lease of a name.
        limits: Of the routes, which bundles share.
        breakers: Of the routes and the BUFFERs.
        me: The instance's name.
        now: The clock.
        debounce: How the pictures of what came are waited for.
        retry: How what failed is tried again.
    """

    def __init__(
        self,
        *,
        place: Place,
        assets: Assets,
        lease_of: Callable[[str], Lease],
        limits: Mapping[str, RateLimit],
        breakers: Breakers,
        me: str,
        now: Clock,
        debounce: Debounce,
        retry: Retry,
    ) -> None:
        self._place = place
        self._assets = assets
        self._lease_of = lease_of
        self._limits = limits
        self._breakers = breakers
        self._me = me
        self._now = now
        self._debounce = debounce
        self._retry = retry

    async def fetch(self, event: AssetTransferRequested, delivery: DeliveryOf) -> Sequence[Event]:
        """Fetch the bytes of an asset, unless they are here, or nobody wants them."""
        uid = event.asset.uid
        known = await self._assets.look(uid)
        if known is None or not is_open(known):
            return ()
        async with self._leased(uid) as lease:

            def check() -> None:
                fencing.check()
                lease.check()

            await self._fetch(known, check, str(delivery.envelope.id))
        return ()

    async def retry(self, event: AssetTransferFailed, delivery: DeliveryOf) -> Sequence[Event]:
        """Ask for what failed again, once its time has come; not for what would be refused again."""
        uid, attempts = event.asset.uid, event.care.transfer_attempts
        asking, wait = Asking(attempts), self._retry.wait_after(attempts)
        known = await self._assets.look(uid)
        if known is None or not asking.is_due(known):
            return ()
        refusal = self._refusal(known)
        if wait is None or refusal is not None:
            why = refusal or Problem(
                code="attempts", reason=f"{attempts} attempts failed", remedy="Ask again."
            )
            log.warning("not_fetched", asset=str(uid), **why.model_dump())
            return ()
        left = min(
            wait, delivery.envelope.time + wait - self._now()
        )  # whatever a clock says that was set back
        if left.total_seconds() > 0:
            raise Postponed(
                "asset_backs_off",
                f"attempt {attempts} at asset {uid} failed; the next one is in {left.total_seconds():.0f} s",
                "Nothing: it is made by itself.",
                delay_s=left.total_seconds(),
            )
        await self._assets.settle(uid, asking.next, causation_id=str(delivery.envelope.id))
        return ()

    async def expire(self, lost: Sequence[UUID]) -> None:
        """Tell of transferrers that were lost: their leases expired, and no message brings a successor.

        Raises:
            Retriable: ``opsdb_unavailable``, ``projection_lags``, ``bus_unavailable``.
        """
        for uid in lost:
            await self._assets.settle(uid, lambda known: transfers.expire(known.told, self._now()))

    async def _fetch(self, known: KnownAsset, check: Callable[[], object], cause: str) -> None:
        uid = known.asset.uid
        say = _Saying(self._assets, uid, cause, check)
        try:
            way = plan(self._place.deployment, self._place.site, known)
            async with self._breakers.using(*_resources(way)) as use:
                item = await asyncio.to_thread(prepare, uid, way)
                courier = Courier(self._assets, me=self._me, now=self._now, check=check, works=use.works)
                begun = await say(Taking(self._me, way.size, self._now, self._retry).next)
                if is_held(begun, self._me):
                    await self._carry(courier, item, way, say)
        except (UserError, Permanent) as refused:
            size = known.file.size if known.file else None
            await say(Taking(self._me, size, self._now, self._retry).next)
            await say(Failing(self._me, refused.problem).next)

    async def _carry(self, courier: Courier, item: TransferItem, way: Way, say: "_Saying") -> None:
        """Move the bytes, and say how it ended.

        Raises:
            Retriable: It failed by something that may pass, and this was said: the breakers count it.
        """
        limit = None if way.route is None else self._limits.get(way.route)
        match await courier.carry(say.uid, item, self._engine(way), limit, say.cause):
            case Proof() as proof:
                await say(Ending(self._me, proof, self._now, self._debounce).next)
            case Failed(problem=problem, recovery=recovery):
                await say(Failing(self._me, problem).next)
                if recovery is Recovery.RETRY:
                    raise Retriable(**problem.model_dump())
            case None:
                log.info("fetch_left", asset=str(say.uid))

    def _engine(self, way: Way) -> TransferEngine:
        routes = self._place.deployment.routes
        return LocalEngine(LocalSettings(streams=1 if way.route is None else routes[way.route].streams))

    def _refusal(self, known: KnownAsset) -> Problem | None:
        """Why no attempt could help."""
        try:
            plan(self._place.deployment, self._place.site, known)
        except UserError as error:
            return error.problem
        except (Permanent, Retriable):
            return None
        return None

    @asynccontextmanager
    async def _leased(self, uid: UUID) -> AsyncIterator[Lease]:
        """Hold the lease of an asset; one that somebody else holds is not waited for.

        Raises:
            Postponed: ``asset_leased``.
        """
        lease = self._lease_of(lease_name(uid))
        async with AsyncExitStack() as stack:
            patience = TURNS * self._place.settings.claims.lease.total_seconds()
            try:
                async with asyncio.timeout(patience):
                    await stack.enter_async_context(lease.held())
            except TimeoutError as error:
                raise Postponed(
                    "asset_leased",
                    f"another instance fetches asset {uid}, or one that shares its lease",
                    "Nothing: it is looked at again by itself.",
                    delay_s=BUSY_S,
                ) from error
            yield lease


class _Saying:
    """Says things of one asset because of one event."""

    def __init__(self, assets: Assets, uid: UUID, cause: str, check: Callable[[], object]) -> None:
        self._assets = assets
        self.uid = uid
        self.cause = cause
        self._check = check

    async def __call__(self, decide: Decide) -> KnownAsset | None:
        return await self._assets.settle(self.uid, decide, causation_id=self.cause, check=self._check)


def _resources(way: Way) -> tuple[Resource, ...]:
    room = resources.room(way.location)
    return (room,) if way.route is None else (resources.route(way.route), room)


def subscribe(bus: Bus, handlers: FetchHandlers) -> None:
    """Let the handlers have what they hear."""
    bus.subscribe(FETCH, handlers.fetch)
    bus.subscribe(RETRY, handlers.retry)
