"""A site's NATS server: its own streams, mirrors of the others', consumers and buckets."""

from collections.abc import Callable
from dataclasses import dataclass, field

from contracts.subjects import dead_stream, events_stream, replay_stream
from libs.bus.provision import DUPLICATE_WINDOW_S, REPLAY_WINDOW_S, consumer
from libs.bus.stored import StoredMessage
from libs.bus.subscription import Source, Subscription
from tests.simulation.bus.buckets import Bucket
from tests.simulation.bus.consumers import Alarm, Consumer
from tests.simulation.bus.streams import Stream


@dataclass
class Server:
    """One server.

    Attributes:
        up: Whether it answers.
        streams: By name, mirrors included.
        consumers: By stream and durable name.
        buckets: By name.
    """

    site: str
    sites: tuple[str, ...]
    clock: Callable[[], float]
    alarm: Alarm
    up: bool = True
    streams: dict[str, Stream] = field(default_factory=dict)
    consumers: dict[tuple[str, str], Consumer] = field(default_factory=dict)
    buckets: dict[str, Bucket] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names: list[str] = [*map(events_stream, self.sites), dead_stream(self.site), replay_stream(self.site)]
        windows = {replay_stream(self.site): REPLAY_WINDOW_S}
        self.streams = {name: Stream(name, windows.get(name, DUPLICATE_WINDOW_S)) for name in names}

    @property
    def own(self) -> Stream:
        """The site's own events."""
        return self.streams[events_stream(self.site)]

    @property
    def letters(self) -> Stream:
        """The dead letters of the site's services."""
        return self.streams[dead_stream(self.site)]

    def stream_of(self, subject: str) -> Stream | None:
        """The stream that takes a subject; mirrors take none."""
        root, site, *_ = subject.split(".")
        if site != self.site:
            return None
        match root:
            case "chasqui":
                return self.own
            case "dead":
                return self.letters
            case "replay":
                return self.streams[replay_stream(self.site)]
            case _:
                return None

    def provision(self, subscription: Subscription) -> None:
        """Make a subscription's consumers, as `chasqui provision` does."""
        for source in subscription.sources(self.site, self.sites):
            config = consumer(subscription, self.site, source)
            name, stream = str(config.durable_name), source.stream
            self.consumers[stream, name] = Consumer(
                f"{name} on {stream}",
                self.streams[stream],
                config,
                self.clock,
                self.alarm,
                open=lambda: self.up,
            )

    def consumer_of(self, subscription: Subscription, source: Source) -> Consumer:
        """The consumer of a subscription on one of its streams."""
        return self.consumers[source.stream, subscription.durable(self.site)]

    def bucket(self, name: str) -> Bucket:
        """A key-value bucket."""
        if name not in self.buckets:
            self.buckets[name] = Bucket(self.clock)
        return self.buckets[name]

    def restart(self) -> None:
        """Answer again; what was handed out before its fall is still in somebody's hand, or comes again."""
        self.up = True
        for each in self.consumers.values():
            each.pump()


def mirror(origin: Stream, copy: Stream, most: int) -> int:
    """Copy up to `most` messages; returns how many are left."""
    behind: list[StoredMessage] = origin.messages[copy.last_sequence : copy.last_sequence + most]
    for message in behind:
        copy.add(message)
    return origin.last_sequence - copy.last_sequence
