"""What the projector hears: every event of every site, from its own position on, without a consumer.

The other services subscribe; the projector reads the streams themselves (`projecting`), since what it has
heard stands in the tables that it writes.
"""

from nats.errors import Error as NatsError

from contracts.problems import Problem
from libs.bus.connection import unavailable
from libs.bus.letters import DeadLetters, DeadMessage
from libs.bus.stored import StoredMessage
from libs.bus.subscription import Subscription
from libs.opsdb.rebuild import LogStream
from libs.service.service import Place
from services.projector.projecting import OnUnreadable

SUBSCRIPTIONS: tuple[Subscription, ...] = ()


def heard(place: Place) -> list[LogStream]:
    """The site's own stream and its mirrors of the others', all on its own server."""
    return [LogStream(name) for name in place.streams]


def buried_in(letters: DeadLetters, url: str) -> OnUnreadable:
    """Put what is no event, or cannot be stored, to the dead letters; raises Retriable while NATS is away."""

    async def bury(message: StoredMessage, problem: Problem) -> None:
        dead = DeadMessage(
            subject=message.subject,
            data=message.data,
            headers=message.headers,
            stream=message.stream,
            sequence=message.sequence,
            attempts=1,
        )
        try:
            await letters.bury(dead, problem, handler="project")
        except (NatsError, TimeoutError) as error:
            raise unavailable(url, error) from error

    return bury
