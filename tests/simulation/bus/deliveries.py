"""Deliveries: the real middleware around the real handlers, on simulated messages."""

import inspect
from collections.abc import Sequence
from contextvars import copy_context
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

from faststream import ContextRepo
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import MsgAlreadyAckdError

from contracts.base import Event
from libs.bus.attempts import AttemptsBook
from libs.bus.burying import DeadLetters
from libs.bus.bus import Handler
from libs.bus.delivery import read_event
from libs.bus.fencing import Overtaken
from libs.bus.letters import identity_of
from libs.bus.origin import origin_of
from libs.bus.pauses import PauseWatch
from libs.bus.publishing import EventPublisher
from libs.bus.settling import Settlement
from libs.bus.stored import StoredMessage
from libs.bus.subscription import Subscription
from libs.bus.verdicts import GivingUp, Verdicts, nothing_said
from libs.bus.verdicts import Settled as SettledBefore
from libs.errors import ChasquiError, Retriable
from libs.service.background import WORK_ENDED
from tests.simulation.bus.client import SimulatedClient
from tests.simulation.bus.consumers import Consumer, Settled
from tests.simulation.chaos import Fault
from tests.simulation.kernel.loop import CURRENT
from tests.simulation.kernel.processes import Process, Stopped
from tests.simulation.world import World


class SimulatedMessage(Msg):
    """A delivered message; what is said about it travels to the server by itself, or is lost.

    Attributes:
        causes: What its handler wants stored before it is acknowledged; None before the handler has ended.
    """

    def __init__(self, world: World, consumer: Consumer, stored: StoredMessage, delivered: int) -> None:
        super().__init__(None, stored.subject, "", stored.data, dict(stored.headers))  # type: ignore[arg-type]
        self.causes: Sequence[Event] | None = None
        self.consumer = consumer
        self.sequence = stored.sequence
        self.site = str(consumer.config.durable_name).split("_", 1)[0]
        self._world = world
        sequence = Msg.Metadata.SequencePair(consumer=stored.sequence, stream=stored.sequence)
        self._metadata = Msg.Metadata(
            sequence=sequence,
            num_pending=0,
            num_delivered=delivered,
            timestamp=datetime.now(UTC) if stored.time is None else stored.time,
            stream=stored.stream,
            consumer=str(consumer.config.durable_name),
        )

    async def ack(self) -> None:
        await self._settle("ack", lambda: self._world.settle(self, Settled.ACKNOWLEDGED))

    async def term(self) -> None:
        await self._settle("term", lambda: self._world.settle(self, Settled.TERMINATED))

    async def nak(self, delay: float | None = None) -> None:
        await self._settle("nak", lambda: self.consumer.hand_back(self.sequence, delay or 0.0))

    async def in_progress(self) -> None:
        await self._world.spot(f"renew {self}")
        self._world.send(f"renew {self}", lambda: self.consumer.renew(self.sequence), self._lost)

    async def _settle(self, word: str, effect: Any) -> None:
        if self._ackd:
            raise MsgAlreadyAckdError(self)
        await self._world.spot(f"{word} {self}")
        self._world.send(f"{word} {self}", effect, self._lost)
        self._ackd = True

    def is_in(self, letter: StoredMessage) -> bool:
        """Whether a dead letter has it, as it is given up now."""
        site, service, handler = str(self.consumer.config.durable_name).split("_", 2)
        origin = origin_of(self)
        identity = identity_of(origin, site=site, service=service, handler=handler)
        return (
            letter.headers.get("chasqui-dead-id") == str(identity)
            and int(letter.headers["chasqui-dead-burial"]) > origin.burials
        )

    def _lost(self) -> bool:
        return not self.consumer.open() or self._world.strikes(Fault.LOST_ACKS, str(self))

    def __str__(self) -> str:
        return f"{self.consumer.name}:{self.sequence}"


class SimulatedWorker:
    """One worker of one subscription: one message in hand at a time.

    Args:
        bus: Of its process.
        consumer: What it is given messages by.
        subscription: What it hears.
        handler: What it does.
        given_up: What is said when a message is buried.
    """

    def __init__(
        self,
        bus: "SimulatedBus",
        consumer: Consumer,
        subscription: Subscription,
        handler: Handler,
        given_up: GivingUp,
    ) -> None:
        self._world = bus.world
        self._consumer = consumer
        self._handler = handler
        self._takes_delivery = _takes_delivery(getattr(handler, "__func__", handler))
        attempts = AttemptsBook(bus.client, site=bus.site)
        self._settlement = Settlement(
            Verdicts(bus.client, subscription, given_up, bus.publisher, bus.letters, attempts, bus.pauses)
        )
        self._contexts = bus.contexts
        self._context = copy_context()
        self._process = CURRENT.get()
        self._busy = False

    @property
    def name(self) -> str:
        return self._process.name

    @property
    def wants(self) -> bool:
        return self._process.alive and not self._process.paused and not self._busy

    def deliver(self, message: StoredMessage, delivered: int) -> None:
        self._busy = True
        made = SimulatedMessage(self._world, self._consumer, message, delivered)
        self._world.loop.call_later(self._world.latency(), self._arrive, made, context=self._context)

    def _arrive(self, message: SimulatedMessage) -> None:
        if self._process.alive:
            self._world.tell(
                "deliver", str(message), message.metadata.num_delivered, self._process.name, what=message
            )
            self._world.loop.create_task(self._handle(message))

    async def _handle(self, message: SimulatedMessage) -> None:
        try:
            # As FastStream does: middleware in, decode, the middleware's scope around the handler, middleware out.
            async with self._settlement(message, context=self._contexts) as middleware:
                event = read_event(origin_of(message))
                await middleware.consume_scope(
                    lambda _: self._call(event, message),
                    SimpleNamespace(raw_message=message),  # type: ignore[arg-type]
                )
        except (NatsError, OSError, TimeoutError, Overtaken, Retriable, SettledBefore):
            return  # nothing was settled: FastStream tells its log, and the message comes again
        finally:
            self._busy = False
            if self._process.alive:
                self._consumer.pump()

    async def _call(self, event: Event, message: SimulatedMessage) -> Sequence[Event]:
        arguments = [event, self._contexts.get("delivery")] if self._takes_delivery else [event]
        try:
            events = list(await self._handler(*arguments))
        except Stopped:
            raise
        except Exception as error:
            if unplanned(error):
                self._world.surprise(f"{self._process.name} {type(event).__name__}", error)
            raise
        message.causes = events
        return events


@cache
def _takes_delivery(handler: Handler) -> bool:
    return "delivery" in inspect.signature(handler).parameters


def unplanned(error: BaseException) -> bool:
    """Whether nobody raised it on purpose; a cancellation that nobody asked for is no purpose."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(unplanned, error.exceptions))
    if isinstance(error, ChasquiError):
        return error.problem.code == WORK_ENDED
    return not isinstance(error, Overtaken)


class SimulatedPauses(PauseWatch):
    """The real watch; it looks when somebody asks and when a pause ends, not four times a second.

    Args:
        process: Which is paused or not.
    """

    def __init__(self, process: Process) -> None:
        super().__init__()
        self._process = process
        process.woken = self._woken

    def was_paused(self, at_least_s: float) -> bool:
        """As `PauseWatch.was_paused`: while the process runs, it looked a moment ago."""
        self._look_as_by_itself()
        return super().was_paused(at_least_s)

    def _woken(self) -> None:
        self._look_as_by_itself()
        self._process.slept_since = None
        self.look()

    def _look_as_by_itself(self) -> None:
        slept_since = self._process.slept_since
        self._looked_at = self._clock() if slept_since is None else slept_since


class SimulatedBus:
    """Stands in for `libs.bus.bus.Bus` in one process.

    Attributes:
        desk: Of filing, once it takes requests.
    """

    def __init__(self, world: World, process: Process, service: str) -> None:
        self.world = world
        self.site = process.site
        self.service = service
        self.client: Any = SimulatedClient(world, process.site)
        self.contexts = ContextRepo()
        self.desk: Any = None
        self.pauses = SimulatedPauses(process)
        self._process = process
        self._handlers: list[tuple[Subscription, Handler, GivingUp]] = []
        self._workers: list[tuple[Consumer, SimulatedWorker]] = []

    @property
    def jetstream(self) -> Any:
        """As `Bus.jetstream`."""
        return self.client.jetstream()

    @property
    def publisher(self) -> EventPublisher:
        """As `Bus.publisher`."""
        return EventPublisher(self.client, site=self.site, service=self.service)

    @property
    def letters(self) -> DeadLetters:
        """As `Bus.letters`."""
        return DeadLetters(self.client, site=self.site, service=self.service)

    def subscribe(
        self, subscription: Subscription, handler: Handler, *, given_up: GivingUp = nothing_said
    ) -> None:
        """As `Bus.subscribe`."""
        self._handlers.append((subscription, handler, given_up))

    def consume(self) -> None:
        """Begin to ask for messages."""
        server = self.world.servers[self.site]
        for subscription, handler, given_up in self._handlers:
            for source in subscription.sources(self.site, tuple(self.world.servers)):
                consumer = server.consumer_of(subscription, source)
                for _ in range(source.workers):
                    worker = SimulatedWorker(self, consumer, subscription, handler, given_up)
                    self._workers.append((consumer, worker))
        for consumer, worker in self._workers:
            consumer.add(worker)

    def leave(self) -> None:
        """Ask no more: the process has ended."""
        for consumer, worker in self._workers:
            consumer.remove(worker)
