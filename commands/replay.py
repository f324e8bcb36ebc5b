"""``chasqui replay``: events of the log are sent again to one service, after a look at what that would mean."""

import getpass
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from commands.dead import print_json
from commands.dead_deciding import Doing
from commands.moments import moment
from commands.services import load
from commands.wording import instant
from contracts.replays import ReplayRequested
from contracts.subjects import durable, events_stream, replay_stream
from libs.bus.connection import connected, unavailable
from libs.bus.letter_reading import Sought, read_letters
from libs.bus.publishing import EventPublisher
from libs.bus.replaying import Again, Bound, Match, Sender, Span, chosen
from libs.bus.subscription import Subscription
from libs.errors import UserError
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place

BATCH = 500
COMMAND = "replay"
SAMPLE = 5
UNREPLAYABLE = {
    "projector": "It reads the log by itself: run chasqui opsdb rebuild.",
}

_LED_SOMEWHERE = "SELECT DISTINCT causation_id FROM event_record WHERE causation_id = ANY($1::text[])"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be sent again, in the command's words.

    Attributes:
        begin: An instant, how long ago, or ``STREAM:SEQUENCE``; so is `end`.
        fields: ``name=value``, of the event's body.
        run: Names the run; a new name if left out.
    """

    service: str
    handler: str | None
    begin: str
    end: str | None = None
    type: str | None = None
    entity: str | None = None
    fields: tuple[str, ...] = ()
    run: str | None = None

    def span(self, place: Place) -> Span:
        """Between which bounds.

        Raises:
            UserError: ``moment_unreadable``, ``stream_unknown`` or ``span_unclear``.
        """
        begin = _bound(self.begin, "--from", place)
        end = Bound() if self.end is None else _bound(self.end, "--to", place)
        if None not in {begin.stream, end.stream} and begin.stream != end.stream:
            raise UserError(
                "span_unclear",
                f"{self.begin} and {self.end} are places in two streams",
                "Give two places in one stream, or two instants.",
            )
        return Span(begin, end)

    def match(self) -> Match:
        """What of it.

        Raises:
            UserError: ``match_unreadable``.
        """
        pairs = [each.partition("=") for each in self.fields]
        for name, sign, _ in pairs:
            if not (name and sign):
                raise UserError(
                    "match_unreadable",
                    f"--match {name!r} says nothing about a value",
                    "Write --match field=value, for example --match package.package_id=8c2f0a52-….",
                )
        return Match(self.type, self.entity, {name: value for name, _, value in pairs})

    def told(self, run: str, by: str) -> ReplayRequested:
        """What the log is told of it."""
        return ReplayRequested(
            run=run,
            service=self.service,
            handler=self.handler,
            begin=self.begin,
            end=self.end,
            type=self.type,
            about_entity=self.entity,
            fields=self.fields,
            requested_by=by,
        )

    def sources(self, place: Place) -> dict[str, list[Subscription]]:
        """The subscriptions of the service, by each stream that they hear at the site.

        Raises:
            UserError: ``unknown_service``, ``nothing_to_replay`` or ``unknown_handler``.
        """
        subscriptions = load(self.service).subscriptions
        if not subscriptions:
            raise UserError(
                "nothing_to_replay",
                f"the {self.service} hears no events that could be sent to it again",
                UNREPLAYABLE.get(self.service, "Choose a service that follows events."),
            )
        meant = [one for one in subscriptions if self.handler in {None, one.handler}]
        if not meant:
            names = ", ".join(one.handler for one in subscriptions)
            raise UserError(
                "unknown_handler",
                f"the {self.service} has no handler {self.handler!r}",
                f"Choose one of {names}.",
            )
        found: dict[str, list[Subscription]] = {}
        for one in meant:
            for origin in one.origins(place.site, tuple(place.deployment.sites)):
                found.setdefault(events_stream(origin), []).append(one)
        return found


@dataclass
class Preview:
    """What would be sent again, and what became of it before.

    Attributes:
        kinds: How many, by handler and type.
        led: How many have led to other events.
        buried: How many lie among the dead letters of that handler.
        sample: The first few.
    """

    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    led: int = 0
    buried: int = 0
    first: datetime | None = None
    last: datetime | None = None
    sample: list[dict[str, Any]] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many messages."""
        return sum(self.kinds.values())

    def count(self, again: Again) -> None:
        """Take one message into account."""
        message = again.message
        kind = message.headers.get("ce-type", message.subject)
        self.kinds[again.subscription.handler, kind] += 1
        self.first = message.time if self.first is None else min(self.first, message.time)
        self.last = message.time if self.last is None else max(self.last, message.time)
        if len(self.sample) < SAMPLE:
            place = f"{message.stream}:{message.sequence}"
            about = message.headers.get("ce-subject")
            self.sample.append(
                {"handler": again.subscription.handler, "type": kind, "place": place, "about": about}
            )

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "events": [
                {"handler": handler, "type": kind, "count": count}
                for (handler, kind), count in sorted(self.kinds.items())
            ],
            "total": self.total,
            "led_to_events": self.led,
            "among_dead_letters": self.buried,
            "first": self.first.isoformat() if self.first else None,
            "last": self.last.isoformat() if self.last else None,
            "sample": self.sample,
        }


async def replay(place: Place, wanted: Wanted, doing: Doing, *, as_json: bool, console: Console) -> int:
    """Send events of the log again to one service of a site, or say what that would be.

    Returns:
        0, even if there is nothing to send.

    Raises:
        UserError: The words cannot be followed.
        Retriable: A server is away; repeat the run under its name.
    """
    sources, span, match = wanted.sources(place), wanted.span(place), wanted.match()
    run = wanted.run or uuid4().hex[:12]
    async with connected(place.bus_address(), name=f"command@{place.site}") as client:
        await _require_consumers(client, place, sources)
        if doing is Doing.NOT_YET:
            preview = await _previewed(client, place, sources, span, match)
            _show(console, wanted, preview, as_json=as_json)
            return 0
        by = getpass.getuser()
        await EventPublisher(client, site=place.site, service=COMMAND).publish([wanted.told(run, by)])
        sender = Sender(client, site=place.site, by=by, run=run)
        sent = total = 0
        batch: list[Again] = []
        async for again in chosen(client, sources, span, match):
            batch.append(again)
            if len(batch) == BATCH:
                sent, total, batch = sent + await sender.send(batch), total + len(batch), []
        sent, total = sent + await sender.send(batch), total + len(batch)
    if as_json:
        print_json(console, {"run": run, "sent": sent, "sent_before": total - sent})
    else:
        before = f", {total - sent} were sent in this run before" if total > sent else ""
        console.print(Text(f"{sent} messages sent again to the {wanted.service} at {place.site}{before}"))
        console.print(Text(f"run {run}: repeat it with --run {run} if it was interrupted", style="dim"))
    return 0


async def _previewed(
    client: Client,
    place: Place,
    sources: Mapping[str, Sequence[Subscription]],
    span: Span,
    match: Match,
) -> Preview:
    letters = await read_letters(client, place.site, Sought())
    buried = {(one.service, one.handler, one.origin.stream, one.origin.sequence) for one in letters}
    preview = Preview()
    async with OpsDbReader.open(place.opsdb_dsn(), most=2) as opsdb:
        ids: list[str] = []
        async for again in chosen(client, sources, span, match):
            preview.count(again)
            subscription, message = again.subscription, again.message
            position = (subscription.service, subscription.handler, message.stream, message.sequence)
            preview.buried += position in buried
            ids.append(message.headers.get("ce-id", ""))
            if len(ids) == BATCH:
                preview.led, ids = preview.led + await _led(opsdb, ids), []
        preview.led += await _led(opsdb, ids)
    return preview


async def _led(opsdb: OpsDbReader, ids: Sequence[str]) -> int:
    known = {row["causation_id"] for row in await opsdb.fetch(_LED_SOMEWHERE, list(set(ids)))}
    return sum(each in known for each in ids)


async def _require_consumers(
    client: Client, place: Place, sources: Mapping[str, Sequence[Subscription]]
) -> None:
    """Nothing is put where nobody would take it away."""
    js, stream = client.jetstream(timeout=10), replay_stream(place.site)
    for one in dict.fromkeys(each for several in sources.values() for each in several):
        try:
            await js.consumer_info(stream, durable(place.site, one.service, one.handler))
        except NotFoundError as error:
            raise UserError(
                "handler_not_provisioned",
                f"nobody hears what is sent again to {one.service}.{one.handler} at {place.site}",
                f"Run chasqui provision --site {place.site}, if the service runs there at all.",
            ) from error
        except (NatsError, OSError, TimeoutError) as error:
            raise unavailable(str(client.connected_url), error) from error


def _bound(text: str, option: str, place: Place) -> Bound:
    name, colon, number = text.rpartition(":")
    stream = name if name.startswith("EVENTS_") else events_stream(name)
    if not (colon and number.isdecimal() and (stream in place.streams or name.startswith("EVENTS_"))):
        return Bound(when=moment(text, option=option))
    if stream not in place.streams:
        raise UserError(
            "stream_unknown",
            f"{option} names the stream {stream}, which {place.site} has not",
            f"Choose one of {', '.join(place.streams)}.",
        )
    return Bound(stream=stream, sequence=int(number))


def _show(console: Console, wanted: Wanted, preview: Preview, *, as_json: bool) -> None:
    if as_json:
        print_json(console, {**preview.told(), "dry_run": True})
        return
    table = Table("handler", "event", "messages", box=None, pad_edge=False)
    for (handler, kind), count in sorted(preview.kinds.items()):
        table.add_row(handler, kind, str(count))
    if preview.total:
        console.print(table)
        console.print(Text(f"stored from {instant(preview.first)} to {instant(preview.last)}"))
        for one in preview.sample:
            console.print(Text(f"  {one['place']} {one['type']} {one['about'] or ''}", style="dim"))
    console.print(Text(_words(wanted, preview)))


def _words(wanted: Wanted, preview: Preview) -> str:
    if not preview.total:
        return "Nothing would be sent: no event in the log is meant."
    return (
        f"{preview.total} messages would be handled again by the {wanted.service}, one at a time beside its live work. "
        f"{preview.led} of them have led to events before: what was done is recognised, and not done twice. "
        f"{preview.buried} lie among its dead letters: those that are handled well now are settled."
    )
