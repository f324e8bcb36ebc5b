"""`chasqui file`: files on an instrument's disk become an observation."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from commands.filing_client import FilingClient
from commands.run import place_of
from contracts.associations import Exposure
from contracts.observations import DeclaredFile, Outcome, StartObservation, Target
from libs.errors import UserError
from libs.opsdb.reader import OpsDbReader
from libs.sites.models import Deployment
from libs.sites.running import find_running
from libs.sites.workdir import Workdir

POLL_S = 0.2

_ARCHIVED = """
    SELECT count(*) FROM raw_data_file f JOIN raw_data_package p ON p.id = f.raw_data_package_id
    WHERE f.executed_obs_unit_id = $1 AND p.archived_at IS NOT NULL
"""
_PROBLEMS = """
    SELECT concat(problem_reason, '. ', problem_remedy) AS problem FROM raw_data_file
    WHERE executed_obs_unit_id = $1 AND problem_code IS NOT NULL ORDER BY path LIMIT 20
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to file; paths are relative to the instrument's folder.

    Attributes:
        exposure: The exposure that it is, with its role after a colon.
        associations: Those that the exposure is to be in.
        exposures: How many exposures each of these will have.
    """

    paths: tuple[str, ...]
    instrument: str
    obs_unit: str | None = None
    target: str | None = None
    ra: float | None = None
    dec: float | None = None
    module: str | None = None
    exposure: str | None = None
    associations: tuple[str, ...] = ()
    exposures: int | None = None


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
    target, exposure = target_of(wanted), exposure_of(wanted)
    async with FilingClient(urls.filing) as filing:
        unit = await filing.start(
            StartObservation(
                instrument=wanted.instrument,
                start_time=began,
                obs_unit=wanted.obs_unit,
                target=target,
                exposure=exposure,
            )
        )
        ids = await _filed(filing, unit, wanted)
        await filing.finish(unit, datetime.now(UTC))
    if wait:
        await until_archived(workdir, site, unit, len(ids), console)
    if as_json:
        print(json.dumps({"executed_obs_unit_id": str(unit), "file_ids": [str(i) for i in ids]}))
    else:
        console.print(f"filed {len(ids)} files as observation {unit}")
        console.print(f"follow it with: chasqui explain {unit}", style="dim")
    return 0


async def _filed(filing: FilingClient, unit: UUID, wanted: Wanted) -> tuple[UUID, ...]:
    """Give the observation its files; it does not stay open if they are refused."""
    try:
        return await filing.file(unit, [DeclaredFile(path=p, module=wanted.module) for p in wanted.paths])
    except UserError:
        await filing.finish(unit, datetime.now(UTC), Outcome.ABORTED)
        raise


def target_of(wanted: Wanted) -> Target | None:
    """What was observed, if it was said.

    Raises:
        UserError: ``target_invalid``.
    """
    if wanted.target is None:
        if wanted.ra is None and wanted.dec is None:
            return None
        raise UserError("target_invalid", "a position belongs to a target", "Name it with --target.")
    try:
        return Target(name=wanted.target, ra_deg=wanted.ra, dec_deg=wanted.dec)
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'target'}: {one['msg']}" for one in error.errors()
        )
        raise UserError(
            "target_invalid",
            f"that target cannot be: {told}",
            "Give its position in ICRS degrees: --ra from 0 to below 360, --dec from -90 to 90.",
        ) from error


def exposure_of(wanted: Wanted) -> Exposure | None:
    """The exposure that is filed, if it was said that it is one.

    Raises:
        UserError: ``exposure_invalid``.
    """
    if wanted.exposure is None:
        if not wanted.associations:
            return None
        raise UserError("exposure_invalid", "an association is of exposures", "Name this one: --exposure.")
    name, _, role = wanted.exposure.partition(":")
    claims = [{"association_id": one, "exposures": wanted.exposures} for one in wanted.associations]
    try:
        return Exposure.model_validate(
            {"name": name, "associations": claims} | ({"member_type": role} if role else {})
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise UserError(
            "exposure_invalid",
            f"{wanted.exposure[:80]!r} cannot be filed as that exposure: {where}: {first['msg']}",
            "Write IPPPSSOO with its role: --exposure J8C0A1Q1:EXP-DTH --association J8C0A1010.",
        ) from error


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
    """Show the progress of an observation until every file of it is archived, and each problem on the way."""
    place = place_of(site, None, workdir)
    columns = (TextColumn("archived"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    async with OpsDbReader.open(place.opsdb_dsn(), most=1) as opsdb:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("archived", total=files)
            done, told = 0, set[str]()
            while done < files:
                done = await opsdb.fetchval(_ARCHIVED, unit)
                progress.update(task, completed=done)
                problems = {str(row["problem"]) for row in await opsdb.fetch(_PROBLEMS, unit)}
                for problem in sorted(problems - told):
                    progress.console.print(Text(problem, style="yellow"), soft_wrap=True)
                told |= problems
                await asyncio.sleep(POLL_S)
