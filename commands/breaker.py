"""``chasqui breaker list`` and ``close``: what is given a rest, why, and when it is tried again."""

import json

from rich.console import Console
from rich.table import Table

from commands.reaching import places_of
from commands.wording import instant
from libs.breakers.circuit import Circuit, CircuitState
from libs.breakers.shared import close, standing
from libs.bus.connection import connect
from libs.errors import UserError
from libs.sites.workdir import Workdir

COLOURS = {CircuitState.CLOSED: "green", CircuitState.HALF_OPEN: "yellow", CircuitState.OPEN: "red"}


async def show(workdir: Workdir, *, site: str | None, as_json: bool, console: Console | None = None) -> int:
    """Show every breaker that ever opened.

    Returns:
        0; an open breaker is no fault of the command.
    """
    console = console or Console()
    found: dict[str, dict[str, Circuit]] = {}
    for place in places_of(workdir, site):
        client = await connect(place.bus_address(), name=f"command@{place.site}")
        try:
            found[place.site] = await standing(client, place.site)
        finally:
            await client.close()
    if as_json:
        told = {
            name: {key: circuit.model_dump(mode="json") for key, circuit in breakers.items()}
            for name, breakers in found.items()
        }
        console.print(json.dumps(told), soft_wrap=True, markup=False, highlight=False)
    else:
        console.print(_table(found))
    return 0


async def close_one(workdir: Workdir, site: str, name: str, *, as_json: bool) -> int:
    """Close a breaker by hand: whoever waits tries again with its next delivery.

    Returns:
        0.

    Raises:
        UserError: ``breaker_not_open``.
    """
    (place,) = places_of(workdir, site)
    client = await connect(place.bus_address(), name=f"command@{place.site}")
    try:
        if not await close(client, site, name):
            raise UserError(
                "breaker_not_open",
                f"no breaker {name!r} is open at {site}",
                f"See which are: chasqui breaker list --site {site}",
            )
    finally:
        await client.close()
    print(json.dumps({"closed": name}) if as_json else f"{name} is closed: work goes on.")
    return 0


def _table(found: dict[str, dict[str, Circuit]]) -> Table:
    table = Table("site", "breaker", "state", "since", "opened", "why", "remedy", box=None, pad_edge=False)
    for site, breakers in found.items():
        for key, circuit in breakers.items():
            problem = circuit.problem
            table.add_row(
                site,
                key,
                f"[{COLOURS[circuit.state]}]{circuit.state.value}",
                instant(circuit.since),
                f"{circuit.trips} ×" if circuit.trips else "",
                problem.reason if problem else "",
                problem.remedy if problem else "",
            )
    if not table.row_count:
        table.add_row("", "all breakers are closed, and always were", "", "", "", "", "")
    return table
