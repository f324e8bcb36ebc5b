"""`chasqui file`: files on an instrument's disk become an observation."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from commands.filing_client import FilingClient
from commands.run import place_of
from contracts.observations import DeclaredFile, StartObservation, Target
from libs.errors import UserError
from libs.opsdb.reader import OpsDbReader
from libs.sites.models import Deployment
from libs.sites.running import find_running
from libs.sites.workdir import Workdir


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to file; paths are relative to the instrument's folder."""

    paths: tuple[str, ...]
    instrument: str
    obs_unit: str | None = None
    target: str | None = None
    ra: float | None = None
    dec: float | None = None
    module: str | None = None


async def run(wanted: Wanted, workdir: Workdir, console: Console, *, wait: bool, as_json: bool) -> int:
    """File one observation at the running site.

    Raises:
        UserError: It was refused, or nothing runs in the work directory.
    """
    running = find_running(workdir)
    site = site_of(running.deployment, wanted.instrument)
    urls = running.urls.get(site)
    if urls is None or urls.filing is None:
        raise UserError(
            "filing_not_running", f"no filing runs for {site}", "Start that site with chasqui up."
        )
    began = datetime.now(UTC)
    target = Target(name=wanted.target, ra_deg=wanted.ra, dec_deg=wanted.dec) if wanted.target else None
    async with FilingClient(urls.filing) as filing:
        unit = await filing.start(
            StartObservation(
                instrument=wanted.instrument, start_time=began, obs_unit=wanted.obs_unit, target=target
            )
        )
        ids = await filing.file(unit, [DeclaredFile(path=p, module=wanted.module) for p in wanted.paths])
        await filing.finish(unit, datetime.now(UTC))
    if wait:
        await until_archived(workdir, site, unit, len(ids), console)
    if as_json:
        print(json.dumps({"executed_obs_unit_id": str(unit), "file_ids": [str(i) for i in ids]}))
    else:
        console.print(f"filed {len(ids)} files as observation {unit}")
        console.print(f"follow it with: chasqui explain {unit}", style="dim")
    return 0


def site_of(deployment: Deployment, instrument: str) -> str:
    """The site an instrument stands at.

    Raises:
        UserError: ``unknown_instrument``.
    """
    if instrument not in deployment.instruments:
        raise UserError(
            "unknown_instrument",
            f"the deployment has no instrument {instrument!r}",
            f"Choose one of {', '.join(deployment.instruments)}.",
        )
    return deployment.instruments[instrument].site


async def until_archived(workdir: Workdir, site: str, unit: UUID, files: int, console: Console) -> None:
    """Show the progress of an observation until every file of it is archived."""
    place = place_of(site, None, workdir)
    columns = (TextColumn("archived"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    async with OpsDbReader.open(place.opsdb_dsn(), most=1) as opsdb:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("archived", total=files)
            done = 0
            while done < files:
                done = await opsdb.fetchval(
                    """
                    SELECT count(*) FROM raw_data_file f JOIN raw_data_package p ON p.id = f.raw_data_package_id
                    WHERE f.executed_obs_unit_id = $1 AND p.archived_at IS NOT NULL
                    """,
                    unit,
                )
                progress.update(task, completed=done)
                await asyncio.sleep(0.2)
