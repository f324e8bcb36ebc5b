"""A site's bus as a service sees it: one FastStream broker, subscriptions made one way only."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

from faststream import AckPolicy, Context
from faststream.nats import JStream, NatsBroker, NatsRouter, PullSub
from faststream.security import SASLPlaintext
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig
from nats.js.errors import NotFoundError

from contracts.base import Event
from libs.bus.attempts import AttemptsBook
from libs.bus.burying import DeadLetters
from libs.bus.connection import RECONNECT_WAIT_S, BusAddress, unavailable
from libs.bus.delivery import Delivery, decode
from libs.bus.pauses import PauseWatch
from libs.bus.publishing import EventPublisher
from libs.bus.settling import Settlement
from libs.bus.subscription import Source, Subscription
from libs.bus.verdicts import GivingUp, Verdicts, nothing_said
from libs.ending import end
from libs.errors import Retriable
from libs.telemetry.logs import logger

if TYPE_CHECKING:
    from types import TracebackType

FETCH_TIMEOUT_S = 5.0
HAND_BACK_S = 3.0
"""Longest time for cancelled handlers to end and to hand their messages back."""
_REFUSAL = "authorization violation"
REST_S = 1.0
"""Time between two looks of a subscriber whose connection is closed."""

Handler = Callable[..., Awaitable[Sequence[Event]]]
"""``async def handler(event, delivery) -> events``: what it returns is stored before the input is acknowledged."""

DeliveryOf = Annotated[Delivery, Context("delivery")]
"""Annotate a handler's parameter with it to be given the delivery."""


class _Fetching:
    """A pull subscription that rests when its connection is closed.

    FastStream asks again at once, and the client says at once that it is closed: the process would do nothing else.
    """

    def __init__(self, subscription: JetStreamContext.PullSubscription) -> None:
        self._subscription = subscription

    async def fetch(self, batch: int = 1, timeout: float | None = FETCH_TIMEOUT_S) -> list[Msg]:  # noqa: ASYNC109
        """Messages that came; see nats-py.

        Raises:
            ConnectionClosedError: The connection is closed for good.
        """
        try:
            return await self._subscription.fetch(batch, timeout)
        except ConnectionClosedError:
            await asyncio.sleep(REST_S)
            raise

    def __getattr__(self, name: str) -> object:
        return getattr(self._subscription, name)


class _Broker(NatsBroker):
    """A broker whose stop ends the consuming alone; FastStream's closes the connection, too.

    What a service gives back when it is taken down (leases, its sign of life) still needs the connection.
    """

    async def start(self) -> None:
        """Begin to consume."""
        await super().start()
        for each in self.subscribers:
            each.subscription = _Fetching(each.subscription)  # type: ignore[attr-defined]

    async def stop(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: "TracebackType | None" = None,
    ) -> None:
        """Stop the subscribers, and wait for what they have in hand; what takes longer is cancelled, and handed back."""
        tasks = [task for each in self.subscribers for task in getattr(each, "tasks", ())]
        await super(NatsBroker, self).stop(exc_type, exc_val, exc_tb)
        if tasks:
            await asyncio.wait(tasks, timeout=HAND_BACK_S)


class Bus:
    """One service's connection to its site's server.

    Args:
        address: The server.
        site: Where the service runs.
        sites: All sites of the deployment.
        service: The service's name.
        graceful_s: How long a stop waits for handlers in hand before it hands their messages back.
        redelivery_s: The acknowledgement deadline of all subscriptions; their own if left out.
    """

    def __init__(
        self,
        address: BusAddress,
        *,
        site: str,
        sites: tuple[str, ...],
        service: str,
        graceful_s: float = 10.0,
        redelivery_s: float | None = None,
    ) -> None:
        self.site = site
        self.service = service
        self._address = address
        self._sites = sites
        self._redelivery_s = redelivery_s
        self._handlers: list[tuple[Subscription, Handler, GivingUp]] = []
        self._client: Client | None = None
        self._pauses = PauseWatch()
        self._watching: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()
        self._refused: Exception | None = None
        self.broker: NatsBroker = _Broker(
            address.url,
            security=SASLPlaintext(username=address.user, password=address.password),
            name=f"{service}@{site}",
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_WAIT_S,
            graceful_timeout=graceful_s,
            ack_policy=AckPolicy.MANUAL,
            decoder=decode,
            logger=None,
            error_cb=self._on_error,
            closed_cb=self._on_closed,
        )

    async def connect(self) -> None:
        """Connect, so that a service can publish and read while it is being composed.

        Raises:
            Retriable: ``bus_unavailable``.
        """
        try:
            self._client = await self.broker.connect()
        except (NatsError, OSError, TimeoutError) as error:
            raise unavailable(self._address.url, error) from error
        if self._watching is None:
            self._watching = asyncio.create_task(self._pauses.run())

    async def close(self) -> None:
        """Send what is still to be sent, and close the connection; harmless when it was never open."""
        if self._watching is not None:
            await end(self._watching)
        if self._client is None:
            return
        try:
            await self._client.drain()
        except (NatsError, OSError, TimeoutError):
            with suppress(OSError):
                await self._client.close()

    async def until_closed(self) -> None:
        """Wait until the connection is closed for good, as when the server does not take the password any more.

        Raises:
            Retriable: ``bus_closed``.
        """
        await self._closed.wait()
        raise Retriable(
            "bus_closed",
            f"NATS at {self._address.url} has closed the connection for good: "
            f"{self._refused or (self._client and self._client.last_error) or 'no reason given'}",
            "Check the CHASQUI_NATS_… password; the process ends, and whoever watches it starts another.",
        )

    @property
    def client(self) -> Client:
        """The NATS client under the broker; call `connect` first."""
        if self._client is None:
            raise RuntimeError("the bus is not connected: call connect() first")
        return self._client

    @property
    def jetstream(self) -> JetStreamContext:
        """JetStream of this site's server."""
        return self.client.jetstream(timeout=10)

    @property
    def publisher(self) -> EventPublisher:
        """Publishes this service's events at this site."""
        return EventPublisher(self.client, site=self.site, service=self.service)

    @property
    def letters(self) -> DeadLetters:
        """This service's way to the dead letters."""
        return DeadLetters(self.client, site=self.site, service=self.service)

    def subscribe(
        self, subscription: Subscription, handler: Handler, *, given_up: GivingUp = nothing_said
    ) -> None:
        """Let `handler` have what `subscription` hears, once the broker starts.

        Args:
            subscription: What it hears.
            handler: Handles it.
            given_up: What is said when a message is buried: of a thing that is stuck without it.
        """
        if self._redelivery_s is not None:
            subscription = subscription.redelivered_after(self._redelivery_s)
        self._handlers.append((subscription, handler, given_up))

    async def prepare(self) -> None:
        """Make the subscribers; the broker's start begins to consume.

        Raises:
            Retriable: ``consumer_missing``: the site is not provisioned for this service yet.
        """
        planned = [
            (subscription, source, handler, given_up)
            for subscription, handler, given_up in self._handlers
            for source in subscription.sources(self.site, self._sites)
        ]
        for subscription, source, _, _ in planned:
            await self._require_consumer(source.stream, subscription.durable(self.site))
        for subscription, source, handler, given_up in planned:
            settlement = Settlement(self._verdicts(subscription, given_up))
            self.broker.include_router(self._router(subscription, source, settlement, handler))

    def _verdicts(self, subscription: Subscription, given_up: GivingUp) -> Verdicts:
        attempts = AttemptsBook(self.client, site=self.site)
        return Verdicts(
            self.client, subscription, given_up, self.publisher, self.letters, attempts, self._pauses
        )

    def _router(
        self, subscription: Subscription, source: Source, settlement: Settlement, handler: Handler
    ) -> NatsRouter:
        router = NatsRouter(middlewares=[settlement])
        # One subscriber a worker, each with one message in hand: max_workers would fetch ahead of its workers.
        for _ in range(source.workers):
            router.subscriber(
                stream=JStream(source.stream, declare=False),
                durable=subscription.durable(self.site),
                config=ConsumerConfig(filter_subjects=list(source.filters)),
                pull_sub=PullSub(batch_size=1, timeout=FETCH_TIMEOUT_S),
                ack_policy=AckPolicy.MANUAL,
                title=f"{subscription.service}.{subscription.handler}",
            )(handler)
        return router

    async def _require_consumer(self, stream: str, name: str) -> None:
        try:
            await self.jetstream.consumer_info(stream, name)
        except NotFoundError as error:
            raise Retriable(
                "consumer_missing",
                f"stream {stream} has no consumer {name} at site {self.site}",
                f"Run 'chasqui provision --site {self.site}' (chasqui up does it by itself).",
            ) from error
        except (NatsError, OSError, TimeoutError) as error:
            raise unavailable(self._address.url, error) from error

    async def _on_closed(self) -> None:
        self._closed.set()

    async def _on_error(self, error: Exception) -> None:
        if _REFUSAL in str(error).lower():
            # The client does not look for the server again then, and does not call itself closed either.
            self._refused = error
            self._closed.set()
        logger("bus").warning("connection", service=self.service, site=self.site, error=repr(error))
