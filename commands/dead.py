"""``chasqui dead list`` and ``show``: what could not be handled, why, and what to do about it."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from commands.moments import moment
from commands.wording import instant
from contracts.states import FailureKind
from contracts.subjects import replay_stream
from libs.bus.connection import connected
from libs.bus.letter_reading import Sought, one_of, read_letters
from libs.bus.letters import Letter
from libs.errors import UserError
from libs.service.service import Place

SHORT_ID = 8
MOST_OF_A_BODY = 4000
"""Letters of a body that are shown."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which letters are meant, as the options say it; see `Sought`."""

    service: str | None = None
    handler: str | None = None
    code: str | None = None
    failure: str | None = None
    type: str | None = None
    entity: str | None = None
    since: str | None = None
    until: str | None = None

    @property
    def given(self) -> bool:
        """Whether any was given."""
        return self != Filters()

    def sought(self) -> Sought:
        """What they seek.

        Raises:
            UserError: ``failure_unknown`` or ``moment_unreadable``.
        """
        return Sought(
            service=self.service,
            handler=self.handler,
            code=self.code,
            failure=None if self.failure is None else _failure(self.failure),
            type=self.type,
            entity=self.entity,
            since=None if self.since is None else moment(self.since, option="--since"),
            until=None if self.until is None else moment(self.until, option="--until"),
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A letter, and the site where it lies."""

    place: Place
    letter: Letter


async def show_list(
    places: Sequence[Place], filters: Filters, *, limit: int, as_json: bool, console: Console
) -> int:
    """List letters, the oldest first.

    Returns:
        0, however many there are.

    Raises:
        UserError: A filter cannot be understood.
        Retriable: A site's server is away.
    """
    found = await letters_at(places, filters.sought())
    shown = found[:limit]
    if as_json:
        print_json(console, [told(one) for one in shown])
        return 0
    console.print(_table(shown))
    if len(found) > len(shown):
        console.print(Text(f"and {len(found) - len(shown)} more: see them with --limit", style="dim"))
    for site, waiting in (await _waiting(places)).items():
        console.print(Text(f"{waiting} messages wait to be handled again at {site}", style="dim"))
    return 0


async def show_one(places: Sequence[Place], name: str, *, body: bool, as_json: bool, console: Console) -> int:
    """Show everything that is known of a letter, or write the bytes of its message to standard output.

    Returns:
        0.

    Raises:
        UserError: ``letter_unknown``, ``letter_ambiguous`` or ``letter_name_too_short``.
        Retriable: A site's server is away.
    """
    one = named(await letters_at(places), name)
    if body:
        sys.stdout.buffer.write(one.letter.origin.data)
        sys.stdout.buffer.flush()
    elif as_json:
        print_json(console, {**told(one), "body": _readable(one.letter.origin.data)})
    else:
        console.print(_details(one))
    return 0


async def letters_at(places: Sequence[Place], sought: Sought | None = None) -> list[Found]:
    """The letters of several sites, the oldest first.

    Raises:
        Retriable: A site's server is away.
    """
    found: list[Found] = []
    for place in places:
        async with connected(place.bus_address(), name=f"command@{place.site}") as client:
            letters = await read_letters(client, place.site, sought or Sought())
        found += [Found(place, letter) for letter in letters]
    return sorted(found, key=lambda one: one.letter.buried_at)


def named(found: Sequence[Found], name: str) -> Found:
    """The letter that is called so.

    Raises:
        UserError: ``letter_unknown``, ``letter_ambiguous`` or ``letter_name_too_short``.
    """
    where = ", ".join(dict.fromkeys(one.place.site for one in found)) or "the sites that were asked"
    letter = one_of([one.letter for one in found], name, where)
    return next(one for one in found if one.letter is letter)


def told(one: Found) -> dict[str, Any]:
    """A letter as JSON."""
    letter, origin = one.letter, one.letter.origin
    return {
        "id": str(letter.id),
        "site": one.place.site,
        "service": letter.service,
        "handler": letter.handler,
        "burial": letter.burial,
        "attempts": letter.attempts,
        "failure": letter.failure.value,
        "problem": letter.problem.model_dump(),
        "buried_at": letter.buried_at.isoformat(),
        "type": origin.type,
        "entity_id": origin.entity_id,
        "event_id": origin.event_id,
        "subject": origin.subject,
        "stream": origin.stream,
        "sequence": origin.sequence,
        "headers": dict(origin.headers),
        "size": len(origin.data) if letter.cut_from is None else letter.cut_from,
        "cut": letter.cut_from is not None,
        "host": letter.host,
        "pid": letter.pid,
        "trace": letter.trace,
        "history": [past.model_dump(mode="json") for past in origin.history],
    }


def print_json(console: Console, data: object) -> None:
    """One line of JSON."""
    console.print(json.dumps(data), soft_wrap=True, markup=False, highlight=False)


def table_of(found: Sequence[Found]) -> Table:
    """Letters, one a line."""
    table = Table("letter", "site", "buried", "given up by", "about", "why", box=None, pad_edge=False)
    for one in found:
        letter = one.letter
        times = f" ({letter.burial} times)" if letter.burial > 1 else ""
        table.add_row(
            str(letter.id)[:SHORT_ID],
            one.place.site,
            instant(letter.buried_at) + times,
            f"{letter.service}.{letter.handler}",
            Text(f"{letter.origin.type.removeprefix('chasqui.')} {letter.origin.entity_id or ''}"),
            Text.assemble((letter.problem.code, "yellow"), f": {letter.problem.reason}"),
        )
    return table


def _table(found: Sequence[Found]) -> Table | Text:
    return table_of(found) if found else Text("no dead letters", style="green")


def _details(one: Found) -> Group:
    letter, origin = one.letter, one.letter.origin
    facts = Table(box=None, show_header=False, pad_edge=False)
    rows: Mapping[str, str] = {
        "letter": str(letter.id),
        "given up by": f"{letter.service}.{letter.handler} at {one.place.site} (process {letter.pid} on {letter.host})",
        "at": f"{instant(letter.buried_at)}, after {letter.attempts} attempts in all",
        "why": f"{letter.problem.reason} ({letter.problem.code}, {letter.failure.value})",
        "remedy": letter.problem.remedy,
        "message": f"{origin.type} at {origin.place()}",
        "about": origin.entity_id or "",
        "trace": letter.trace or "",
    }
    for name, value in rows.items():
        if value:
            facts.add_row(Text(name, style="bold"), Text(value))
    for past in origin.history:
        again = f"; {past.retried_by} had it sent again {instant(past.retried_at)}" if past.retried_by else ""
        words = f"buried {instant(past.buried_at)}: {past.problem.reason} ({past.problem.code}){again}"
        facts.add_row(Text("before", style="bold"), Text(words))
    for name, value in sorted(origin.headers.items()):
        facts.add_row(Text("header", style="dim"), Text(f"{name}: {value}"))
    body = _readable(origin.data)
    more = "" if letter.cut_from is None else f"\n… {letter.cut_from} bytes in all, whole at {origin.place()}"
    return Group(facts, Text(body[:MOST_OF_A_BODY] + ("…" if len(body) > MOST_OF_A_BODY else "") + more))


def _readable(data: bytes) -> str:
    try:
        return json.dumps(json.loads(data), indent=2, ensure_ascii=False)
    except ValueError:
        return data.decode(errors="backslashreplace")


async def _waiting(places: Sequence[Place]) -> dict[str, int]:
    waiting: dict[str, int] = {}
    for place in places:
        async with connected(place.bus_address(), name=f"command@{place.site}") as client:
            info = await client.jetstream(timeout=10).stream_info(replay_stream(place.site))
        if info.state.messages:
            waiting[place.site] = info.state.messages
    return waiting


def _failure(text: str) -> FailureKind:
    try:
        return FailureKind(text)
    except ValueError as error:
        raise UserError(
            "failure_unknown",
            f"--failure {text!r} is no kind of failure",
            f"Choose one of {', '.join(FailureKind)}.",
        ) from error
