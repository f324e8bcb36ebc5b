"""`chasqui up`: a deployment on this machine until a signal comes."""

import json
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from commands.standing import Standing, keep_temporary_files_in, standing, until_signal
from libs.sites.credentials import Credentials
from libs.sites.workdir import Workdir
from libs.telemetry import logs


async def run(
    config: Path, workdir: Workdir, sites: Sequence[str], console: Console, *, as_json: bool
) -> int:
    """Start everything, say where it is, and wait for SIGINT or SIGTERM.

    Args:
        config: The deployment file, absolute.
        workdir: Where to keep everything.
        sites: The sites to run; all if empty.
        console: For people.
        as_json: Also print one JSON object when everything is started.
    """
    workdir.create()
    keep_temporary_files_in(workdir.run)
    logs.configure(style=logs.LogFormat.CONSOLE if console.is_terminal else logs.LogFormat.JSON)
    given = Credentials.from_environment(os.environ)
    async with AsyncExitStack() as stack:
        with console.status("starting servers"):
            stands = await stack.enter_async_context(standing(config, workdir, given, sites))
        stands.start_all()
        with console.status("starting services"):
            late = await stands.until_ready()
        for name in late:
            console.print(f"{name} is not ready yet; see {stands.workdir.logs}", style="yellow")
        if as_json:
            print(_as_json(stands), flush=True)
        console.print(_table(stands))
        console.print("Everything runs; Ctrl-C stops it. Try: chasqui status", style="cyan")
        await until_signal()
        console.print("stopping", style="dim")
    return 0


def _table(stands: Standing) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("site", "filing", "live page and API", "services"):
        table.add_column(heading)
    for site, urls in stands.urls().items():
        names = [w.task.service for w in stands.supervisor.workers if w.task.place.site == site]
        table.add_row(site, urls.filing or "–", urls.gateway or "–", " ".join(names))
    return table


def _as_json(stands: Standing) -> str:
    return json.dumps(
        {
            "workdir": str(stands.workdir.path),
            "sites": {site: urls.model_dump() for site, urls in stands.urls().items()},
            "services": {worker.name: worker.process.pid for worker in stands.supervisor.workers},
        }
    )
