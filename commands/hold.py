"""``chasqui hold place``, ``release`` and ``list``: keeping copies from deletion, whatever retention says."""

import asyncio
import getpass
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from rich.console import Console
from rich.table import Table
from rich.text import Text

from commands.explain import read_id
from commands.reaching import Gateway, gateway_of, places_of, reached
from commands.wording import instant
from contracts.base import Message, Utc
from contracts.holds import HoldScope, PlaceHold, ReleaseHold
from contracts.states import HoldKind
from libs.errors import Retriable, UserError
from libs.service.service import Place
from libs.sites.workdir import Workdir

KNOWN_WITHIN_S = 3.0
POLL_S = 0.3

_HOLDS = "SELECT * FROM deletion_hold WHERE kind IS NOT NULL ORDER BY placed_at DESC, id"


class Hold(Message):
    """A hold, as the sites that run here know it.

    Attributes:
        known_at: Sites where its event is: copies there stay.
        released_at: When it was released, as far as any site knows.
        still_in_force_at: Sites that do not know of its release yet.
    """

    id: UUID
    kind: HoldKind
    target: str
    reason: str
    placed_by: str
    placed_at: Utc
    known_at: tuple[str, ...]
    released_at: Utc | None = None
    released_by: str | None = None
    release_reason: str | None = None
    still_in_force_at: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """What somebody wants held, by the one option that was given."""

    location: str | None = None
    instrument: str | None = None
    observation: str | None = None
    package: str | None = None
    file: str | None = None

    def scope(self) -> HoldScope:
        """The scope of the hold.

        Raises:
            UserError: ``scope_unclear``: none, or more than one is named; ``id_invalid``.
        """
        named = [
            (kind, target)
            for kind, target in (
                (HoldKind.LOCATION, self.location),
                (HoldKind.INSTRUMENT, self.instrument),
                (HoldKind.EXECUTED_OBS_UNIT, _id(self.observation)),
                (HoldKind.RAW_DATA_PACKAGE, _id(self.package)),
                (HoldKind.RAW_DATA_FILE, _id(self.file)),
            )
            if target is not None
        ]
        if len(named) != 1:
            raise UserError(
                "scope_unclear",
                f"{len(named)} things are named; a hold is on one",
                "Give one of --location, --instrument, --observation, --package and --file; "
                "place several holds for several things.",
            )
        [(kind, target)] = named
        return HoldScope(kind=kind, target=target)


async def place(
    workdir: Workdir,
    named: Named,
    reason: str,
    *,
    site: str | None = None,
    as_json: bool = False,
    console: Console | None = None,
) -> int:
    """Place a hold, and tell at which of the sites that run here it is known already.

    Returns:
        0.

    Raises:
        UserError: Nothing runs there, or what is named is not known there.
        Retriable: The gateway is away.
    """
    console = console or Console()
    wanted = PlaceHold(scope=named.scope(), reason=_said(reason), placed_by=getpass.getuser())
    headers = {"idempotency-key": str(uuid4())}
    gateway = Gateway(gateway_of(workdir, site))
    answer = await gateway.ask("POST", "/holds", wanted.model_dump(mode="json"), headers)
    found = await _known(workdir, UUID(answer["id"]), released=False)
    if as_json:
        _print(console, found.model_dump_json() if found else json.dumps(answer))
        return 0
    console.print(Text(f"hold {answer['id']} on {_words(wanted.scope.kind)} {wanted.scope.target}"))
    _tell_sites(
        console, workdir, found.known_at if found else (), "keeps its copies now", "does not know of it yet"
    )
    return 0


async def release(
    workdir: Workdir,
    hold: str,
    reason: str,
    *,
    site: str | None = None,
    as_json: bool = False,
    console: Console | None = None,
) -> int:
    """Release a hold: retention decides again.

    Returns:
        0.

    Raises:
        UserError: There is no such hold, or nothing runs there.
        Retriable: The gateway is away.
    """
    console = console or Console()
    name = read_id(hold)
    wanted = ReleaseHold(reason=_said(reason), released_by=getpass.getuser())
    gateway = Gateway(gateway_of(workdir, site))
    answer = await gateway.ask("POST", f"/holds/{name}/release", wanted.model_dump(mode="json"))
    found = await _known(workdir, name, released=True)
    if as_json:
        _print(console, found.model_dump_json() if found else json.dumps(answer))
        return 0
    console.print(Text(f"released {name}: retention decides again"))
    keeping = found.still_in_force_at if found else ()
    if keeping:
        console.print(
            Text(f"{', '.join(keeping)}: does not know of it yet, and keeps the copies", style="yellow")
        )
    return 0


async def show(
    workdir: Workdir,
    *,
    site: str | None = None,
    everything: bool = False,
    as_json: bool = False,
    console: Console | None = None,
) -> int:
    """List holds: those in force anywhere, or all that there ever were.

    Returns:
        0.

    Raises:
        UserError: Nothing runs there.
        Retriable: A site's servers are away.
    """
    console = console or Console()
    places = places_of(workdir, site)
    holds = [
        one
        for one in await holds_of(places)
        if everything or one.released_at is None or one.still_in_force_at
    ]
    if as_json:
        _print(console, json.dumps([one.model_dump(mode="json") for one in holds]))
    else:
        console.print(_table(holds, [place.site for place in places]))
    return 0


async def holds_of(places: Sequence[Place]) -> list[Hold]:
    """Every hold that one of these sites knows, the latest first."""
    rows: dict[UUID, dict[str, Mapping[str, Any]]] = {}
    for place in places:
        async with reached(place) as sight:
            for row in await sight.opsdb.fetch(_HOLDS):
                rows.setdefault(row["id"], {})[place.site] = dict(row)
    found = [_hold(by_site) for by_site in rows.values()]
    return sorted(found, key=lambda one: (one.placed_at, str(one.id)), reverse=True)


def _hold(by_site: Mapping[str, Mapping[str, Any]]) -> Hold:
    """One hold out of the rows of several sites."""
    released = [row for row in by_site.values() if row["released_at"] is not None]
    row = min(released, key=_released_at) if released else next(iter(by_site.values()))
    keeping = [site for site, one in by_site.items() if released and one["released_at"] is None]
    columns = {name: row[name] for name in Hold.model_fields if name in row}
    return Hold.model_validate({**columns, "known_at": tuple(by_site), "still_in_force_at": tuple(keeping)})


def _released_at(row: Mapping[str, Any]) -> datetime:
    when: datetime = row["released_at"]
    return when


async def _known(workdir: Workdir, name: UUID, *, released: bool) -> Hold | None:
    """The hold, once every site that runs here knows its last news, or after a moment."""
    places, deadline = places_of(workdir), time.monotonic() + KNOWN_WITHIN_S
    while True:
        try:
            found = next((one for one in await holds_of(places) if one.id == name), None)
        except Retriable:
            return None  # it is in the log; a site whose servers are away is no failure of this
        everywhere = found is not None and len(found.known_at) == len(places)
        settled = everywhere and found is not None and (not released or not found.still_in_force_at)
        if settled or time.monotonic() > deadline:
            return found
        await asyncio.sleep(POLL_S)


def _tell_sites(console: Console, workdir: Workdir, known: Sequence[str], now: str, not_yet: str) -> None:
    for place in places_of(workdir):
        yes = place.site in known
        console.print(Text(f"{place.site} {now if yes else not_yet}", style="" if yes else "yellow"))


def _table(holds: Sequence[Hold], sites: Sequence[str]) -> Table | Text:
    if not holds:
        return Text("nothing is held")
    table = Table("hold", "on", "since", "by", "why", "in force at", box=None, pad_edge=False)
    for one in holds:
        table.add_row(
            str(one.id),
            Text(f"{_words(one.kind)} {one.target}"),
            instant(one.placed_at),
            Text(one.placed_by),
            Text(one.reason),
            _force(one, sites),
        )
    return table


def _force(one: Hold, sites: Sequence[str]) -> Text:
    if one.released_at is not None:
        keeping = f", not yet at {', '.join(one.still_in_force_at)}" if one.still_in_force_at else ""
        return Text(f"released by {one.released_by}: {one.release_reason}{keeping}", style="dim")
    missing = [site for site in sites if site not in one.known_at]
    text = Text(", ".join(one.known_at))
    return text.append(f"; not yet {', '.join(missing)}", style="yellow") if missing else text


def _words(kind: HoldKind) -> str:
    words = {HoldKind.EXECUTED_OBS_UNIT: "observation", HoldKind.RAW_DATA_PACKAGE: "package"}
    return words.get(kind, "file" if kind is HoldKind.RAW_DATA_FILE else kind.value)


def _id(text: str | None) -> str | None:
    return None if text is None else str(read_id(text))


def _said(reason: str) -> str:
    if not reason.strip():
        raise UserError(
            "reason_missing", "the reason is empty", "Say why: whoever finds it later must be able to decide."
        )
    return reason.strip()


def _print(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, markup=False, highlight=False)
