"""What the projector hears: every event of every site, from its own position on, without a consumer.

The other services subscribe; the projector reads the streams themselves (`projecting`), since what it has
heard stands in the tables that it writes.
"""

from contracts.problems import Problem
from contracts.states import FailureKind
from libs.bus.burying import DeadLetters
from libs.bus.origin import Origin, own_headers
from libs.bus.stored import StoredMessage
from libs.bus.subscription import Subscription
from libs.opsdb.rebuild import LogStream
from libs.service.service import Place
from services.projector.projecting import OnUnreadable

SUBSCRIPTIONS: tuple[Subscription, ...] = ()


def heard(place: Place) -> list[LogStream]:
    """The site's own stream and its mirrors of the others', all on its own server."""
    return [LogStream(name) for name in place.streams]


def buried_in(letters: DeadLetters) -> OnUnreadable:
    """Put what is no event, or cannot be stored, to the dead letters; raises Retriable while NATS is away."""

    async def bury(message: StoredMessage, problem: Problem) -> None:
        origin = Origin(
            message.subject, own_headers(message.headers), message.data, message.stream, message.sequence
        )
        await letters.bury(origin, _told(problem), FailureKind.POISON, handler="project", attempts=1)

    return bury


def _told(problem: Problem) -> Problem:
    """What a later release can read is in the log; into the ops-db it comes only when the log is folded again."""
    if problem.code not in {"unknown_type", "unknown_version"}:
        return problem
    later = "Once it can be read, run chasqui opsdb rebuild, and drop the letter."
    return problem.model_copy(update={"remedy": f"{problem.remedy} {later}"})
