"""``chasqui status``: how each running site is, at a glance or live."""

import asyncio
import json
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from commands.reaching import places_of, reached
from commands.wording import bar, counts, duration, instant, size
from contracts.problems import Problem
from libs.breakers.circuit import Circuit, CircuitState
from libs.errors import Retriable
from libs.insight.disks import Disk
from libs.insight.queues import Queue
from libs.insight.status import SiteStatus, site_status
from libs.service.service import Place
from libs.sites.workdir import Workdir

WATCH_EVERY_S = 2.0
FULL, CROWDED = 0.9, 0.75

Found = SiteStatus | Problem
"""A site's status, or why it cannot be told."""


async def status(
    workdir: Workdir,
    *,
    site: str | None = None,
    as_json: bool = False,
    watch: bool = False,
    console: Console | None = None,
) -> int:
    """Show how the sites of a running `up` are.

    Args:
        workdir: Where it runs.
        site: Only this one.
        as_json: One JSON object by site in the place of tables.
        watch: Go on until interrupted.
        console: Where to show it.

    Returns:
        0 if every site answers, 1 otherwise.

    Raises:
        UserError: Nothing runs there, or not that site.
    """
    console = console or Console()
    if watch and not as_json:
        await _watch(workdir, site, console)
        return 0
    found = await look(places_of(workdir, site))
    if as_json:
        text = json.dumps({name: one.model_dump(mode="json") for name, one in found.items()})
        console.print(text, soft_wrap=True, markup=False, highlight=False)
    else:
        console.print(render(found))
    return 1 if any(isinstance(one, Problem) for one in found.values()) else 0


async def look(places: Sequence[Place]) -> dict[str, Found]:
    """The status of sites, all asked at once."""
    found = await asyncio.gather(*(_look_at(place) for place in places))
    return dict(zip((place.site for place in places), found, strict=True))


def render(found: dict[str, Found]) -> RenderableType:
    """The status of sites for a person."""
    return Group(*(_panel(site, one) for site, one in found.items()))


async def _look_at(place: Place) -> Found:
    try:
        async with reached(place) as site:
            return await site_status(place, site.client, site.opsdb)
    except Retriable as error:
        return error.problem


async def _watch(workdir: Workdir, site: str | None, console: Console) -> None:
    with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        while True:
            live.update(render(await look(places_of(workdir, site))), refresh=True)
            await asyncio.sleep(WATCH_EVERY_S)


def _panel(site: str, one: Found) -> Panel:
    if isinstance(one, Problem):
        text = Text.assemble((f"{one.reason} ({one.code})\n", "bold red"), one.remedy)
        return Panel(text, title=f"[bold]{site}", border_style="red", title_align="left")
    body = Group(_facts(one), _disks(one.disks), _queues(one.queues))
    return Panel(body, title=f"[bold]{site}", subtitle=instant(one.at), title_align="left")


def _facts(one: SiteStatus) -> Table:
    table = Table.grid(padding=(0, 2))
    rows: list[tuple[str, Text | str]] = [
        ("services", _services(one.services)),
        ("observations", _observations(one)),
        ("files", counts(one.files)),
        ("packages", counts(one.packages)),
        ("bundles", counts(one.bundles)),
        ("staging jobs", counts(one.staging_jobs)),
        ("projection", _projection(one)),
        ("dead letters", _letters(one)),
        ("breakers", _breakers(one.breakers)),
        ("archive copies", _copies(one)),
        ("holds", str(one.holds)),
        ("unfiled files", Text(str(one.unfiled_files), style="yellow" if one.unfiled_files else "green")),
        ("oldest unarchived", _oldest(one)),
    ]
    for name, value in rows:
        table.add_row(Text(name, style="dim"), value)
    return table


def _services(alive: dict[str, int]) -> Text:
    told = [
        Text(f"{name} × {n}" if n > 1 else name, style="green")
        if n
        else Text(f"{name} down", style="bold red")
        for name, n in alive.items()
    ]
    return Text("  ").join(told)


def _observations(one: SiteStatus) -> Text:
    told = Text(counts(one.observations))
    if one.without_obs_unit:
        waits = f"{one.without_obs_unit} of an ObsUnit that is not registered: chasqui catalog show"
        told.append(f"  {waits}", style="yellow")
    return told


def _letters(one: SiteStatus) -> Text:
    if not one.dead_letters:
        return Text("none", style="green")
    return Text(f"{one.dead_letters}: chasqui dead list --site {one.site}", style="bold red")


def _breakers(breakers: dict[str, Circuit]) -> Text:
    """Those that are not closed, each with its reason."""
    told = []
    for key, circuit in breakers.items():
        if circuit.state is not CircuitState.CLOSED:
            why = f": {circuit.problem.reason}" if circuit.problem else ""
            told.append(Text(f"{key} {circuit.state.value.replace('_', ' ')}{why}", style="bold red"))
    return Text("\n").join(told) if told else Text("all closed", style="green")


def _copies(one: SiteStatus) -> Text:
    if one.copies.unrepairable:
        return Text(f"{one.copies.unrepairable} damaged beyond repair", style="bold red")
    if one.copies.damaged:
        return Text(f"{one.copies.damaged} damaged, being mended", style="yellow")
    return Text("none known to be damaged", style="green")


def _projection(one: SiteStatus) -> Text:
    behind = [p for p in one.projections if p.behind]
    if not behind:
        return Text("up to date", style="green")
    told = (f"{p.behind} events ({duration(p.behind_s)}) behind {p.stream}" for p in behind)
    return Text(", ".join(told), style="yellow")


def _oldest(one: SiteStatus) -> Text:
    oldest = one.oldest_unarchived
    if oldest is None:
        return Text("none", style="green")
    return Text(f"{duration(oldest.age_s)}: {oldest.path!r} ({oldest.state})")


def _disks(disks: Sequence[Disk]) -> Table:
    table = Table.grid(padding=(0, 2))
    for disk in disks:
        if not disk.reachable:
            table.add_row(disk.location, Text("cannot be reached", style="bold red"), "")
            continue
        used = 1 - disk.free / disk.total if disk.total else 1.0
        style = "red" if used > FULL else "yellow" if used > CROWDED else "green"
        table.add_row(
            disk.location, bar(used, style), f"{used:.0%} of {size(disk.total)}, {size(disk.free)} free"
        )
    return table


def _queues(queues: Sequence[Queue]) -> RenderableType:
    busy = [queue for queue in queues if queue.waiting or queue.in_hand]
    if not busy:
        return Text(f"nothing waits in {len(queues)} queues", style="dim")
    table = Table(box=None, padding=(0, 2))
    for heading in ("queue", "hears"):
        table.add_column(heading)
    for heading in ("waiting", "in hand", "again", "oldest"):
        table.add_column(heading, justify="right")
    for queue in busy:
        name = f"{queue.service}.{queue.handler}"
        table.add_row(
            name,
            queue.origin,
            str(queue.waiting),
            str(queue.in_hand),
            str(queue.redelivered),
            duration(queue.oldest_s),
        )
    return table
