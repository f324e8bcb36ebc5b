"""A subscription as data: what a handler hears, and how its deliveries are limited."""

from dataclasses import dataclass, replace
from enum import Enum

from contracts.base import Event
from contracts.subjects import durable, events_stream, replay, replay_stream


class Hears(Enum):
    """Whose events a handler hears."""

    OWN_SITE = "own_site"
    """Those of the site the service runs at."""
    OTHER_SITES = "other_sites"
    """Those of every other site, from the mirrors of their streams."""
    EVERY_SITE = "every_site"
    """Both."""


@dataclass(frozen=True, slots=True)
class Source:
    """A stream that a subscription hears.

    Attributes:
        filters: The subjects it hears of it.
        workers: How many of its messages one instance handles at once.
    """

    stream: str
    filters: tuple[str, ...]
    workers: int


@dataclass(frozen=True, slots=True)
class Subscription:
    """One durable pull consumer per stream, shared by all instances of the service.

    Besides the streams of events it hears what is sent again to its handler alone, one message at a time: live work
    goes first.

    Attributes:
        service: The service's name.
        handler: The handler's name; with the site and the service it names the consumer.
        events: What it hears, in any version.
        hears: Whose events.
        workers: How many messages one instance handles at once.
        ack_wait_s: A message whose process was killed is delivered again after this time. A handler that is at
            work renews its claim three times as often.
        silence_s: A handler that gives no sign of life (`libs.bus.pulse`) for this long loses its claim: it is
            stopped, and the message comes again. Handlers that are done sooner need give none.
        max_attempts: After so many failed deliveries a retriable failure becomes a dead letter.
    """

    service: str
    handler: str
    events: tuple[type[Event], ...]
    hears: Hears = Hears.OWN_SITE
    workers: int = 1
    ack_wait_s: float = 9.0
    silence_s: float = 120.0
    max_attempts: int = 20

    def redelivered_after(self, seconds: float) -> "Subscription":
        """The same with another acknowledgement deadline."""
        return replace(self, ack_wait_s=seconds)

    def durable(self, site: str) -> str:
        """The consumer's name for the service at `site`."""
        return durable(site, self.service, self.handler)

    def sources(self, site: str, sites: tuple[str, ...]) -> tuple[Source, ...]:
        """Everything it hears when it runs at `site`.

        Args:
            site: Where it runs.
            sites: The sites whose streams exist there.
        """
        live = (
            Source(events_stream(origin), tuple(self.filters(origin)), self.workers)
            for origin in self.origins(site, sites)
        )
        again = Source(replay_stream(site), (replay(site, self.service, self.handler),), 1)
        return (*live, again)

    def filters(self, origin: str) -> list[str]:
        """The subjects it hears of one site: any version, so that an unknown one is seen and kept aside."""
        return [f"chasqui.{origin}.{event.entity}.{event.fact}.*" for event in self.events]

    def origins(self, site: str, sites: tuple[str, ...]) -> tuple[str, ...]:
        """The sites whose streams it reads when it runs at `site`."""
        match self.hears:
            case Hears.OWN_SITE:
                return (site,)
            case Hears.OTHER_SITES:
                return tuple(other for other in sites if other != site)
            case Hears.EVERY_SITE:
                return sites
