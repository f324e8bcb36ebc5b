"""Filing over NATS request/reply. Filing consumes no events: it has no durable subscriptions."""

from faststream.nats import NatsRouter
from faststream.nats.annotations import NatsMessage
from faststream.nats.response import NatsResponse

from contracts.subjects import filing_request
from libs.bus.bus import Bus
from libs.bus.subscription import Subscription
from services.filing.desk import Desk, Verb

SUBSCRIPTIONS: tuple[Subscription, ...] = ()

QUEUE = "filing"
"""Each request goes to one instance of this queue group."""

AT_ONCE = 8
"""Requests of one kind in hand at once: one that waits for a server must not hold up the reading of others."""


def subscribe(bus: Bus, desk: Desk) -> None:
    """Answer the requests of a site's instruments and telescope nodes."""
    for verb in Verb:
        bus.broker.include_router(_router(bus.site, desk, verb))


def _router(site: str, desk: Desk, verb: Verb) -> NatsRouter:
    router = NatsRouter()

    @router.subscriber(
        filing_request(site, verb),
        queue=QUEUE,
        decoder=_undecoded,
        max_workers=AT_ONCE,
        title=f"filing.{verb}",
    )
    async def handle(message: NatsMessage) -> NatsResponse:
        answer = await desk.answer(verb, message.body, message.headers)
        return NatsResponse(answer.model_dump_json().encode(), headers={"content-type": "application/json"})

    return router


async def _undecoded(message: NatsMessage) -> bytes:
    return message.body
