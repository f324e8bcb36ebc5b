"""``chasqui check JOB``: does what was staged still stand as the instrument wrote it?"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from rich.console import Console, Group, RenderableType
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from commands.explain import read_id
from commands.reaching import places_of, reached
from commands.wording import size
from contracts.base import Message
from contracts.staging import Selection
from contracts.states import LocationType, WorkState
from libs.copies.staged import PlacedFile, Standing, read_staged
from libs.errors import UserError
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from libs.sites.workdir import Workdir

SHOWN = 50
"""Files in a table; --json names them all."""

_JOB = """
SELECT location, folder, state::text AS state, selection::text AS selection, released_at FROM staging_job
WHERE id = $1 AND selection IS NOT NULL
"""

_FILES = """
SELECT file.id, file.path, file.size, file.mtime_ns, file.sha256
FROM staging_job_package part
JOIN raw_data_package package ON package.id = part.raw_data_package_id
JOIN raw_data_file file ON file.raw_data_package_id = package.id AND file.state = 'packaged'
WHERE part.staging_job_id = $1
  AND (package.id = ANY($2::uuid[]) OR package.executed_obs_unit_id = ANY($3::uuid[]) OR file.id = ANY($4::uuid[]))
ORDER BY file.path
"""


class NotWhole(Message):
    """A staged file that does not stand as it was staged.

    Attributes:
        path: Relative to the job's folder.
    """

    file_id: UUID
    path: str
    standing: Standing


class Checked(Message):
    """What reading a job's files again found.

    Attributes:
        folder: On this machine's disk.
        files: How many the job staged.
        payload_bytes: Their bytes.
        not_whole: Those that do not stand as they were staged.
    """

    job_id: UUID
    location: str
    folder: str
    files: int
    payload_bytes: int
    not_whole: tuple[NotWhole, ...]


@dataclass(frozen=True, slots=True)
class _Job:
    """A completed job at a site that runs here."""

    id: UUID
    location: str
    folder: Path
    files: dict[UUID, PlacedFile]


async def check(workdir: Workdir, job: str, *, as_json: bool = False, console: Console | None = None) -> int:
    """Read a job's staged files again, and tell those that are not as their instrument wrote them. Changes nothing.

    Args:
        workdir: Where an `up` runs.
        job: The id of a completed staging job.
        as_json: One JSON object in the place of a table.
        console: Where to show it; progress is shown on standard error.

    Returns:
        0 if every file is whole, 1 otherwise.

    Raises:
        UserError: Nothing runs there, ``id_invalid``, ``unknown_staging_job`` or ``not_staged``.
        Retriable: A site's servers are away, or the disk cannot be read.
    """
    console = console or Console()
    found = await _find(places_of(workdir), read_id(job))
    checked = await asyncio.to_thread(_read, found)
    if as_json:
        console.print(checked.model_dump_json(), soft_wrap=True, markup=False, highlight=False)
    else:
        console.print(_shown(checked))
    return 1 if checked.not_whole else 0


async def _find(places: Sequence[Place], job: UUID) -> _Job:
    for place in places:
        disks = [
            name
            for name, one in place.settings.locations.items()
            if one.type is LocationType.PROCESSING
        ]  # fmt: skip
        if disks:
            async with reached(place) as site:
                if (found := await _at(place, site.opsdb, disks, job)) is not None:
                    return found
    raise UserError(
        "unknown_staging_job",
        f"no site that runs here has staged anything for a job {job}",
        "Check the id, and ask where the job's PROCESSING location is.",
    )


async def _at(place: Place, opsdb: OpsDbReader, disks: Sequence[str], job: UUID) -> _Job | None:
    row = await opsdb.fetchrow(_JOB, job)
    if row is None or row["location"] not in disks:
        return None
    if row["state"] != WorkState.COMPLETED or row["released_at"] is not None:
        state = "released" if row["released_at"] is not None else row["state"]
        raise UserError(
            "not_staged",
            f"the job {job} is {state}: nothing of it is promised to stand in its folder",
            f"Look at it with: chasqui explain {job}. Ask again with: chasqui stage ID --wait",
        )
    wanted = Selection.model_validate_json(row["selection"])
    files = await opsdb.fetch(_FILES, job, wanted.package_ids, wanted.executed_obs_unit_ids, wanted.file_ids)
    return _Job(
        job,
        row["location"],
        place.disk(row["location"]).path / row["folder"],
        {one["id"]: PlacedFile(one["path"], one["size"], one["mtime_ns"], one["sha256"]) for one in files},
    )


def _read(job: _Job) -> Checked:
    total = sum(one.size for one in job.files.values())
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=total)
        readings = read_staged(job.folder, job.files.values(), lambda count: progress.advance(task, count))
        not_whole = tuple(
            NotWhole(file_id=file_id, path=reading.file.path, standing=reading.standing)
            for file_id, reading in zip(job.files, readings, strict=True)
            if reading.standing is not Standing.WHOLE
        )
    return Checked(
        job_id=job.id,
        location=job.location,
        folder=str(job.folder),
        files=len(job.files),
        payload_bytes=total,
        not_whole=not_whole,
    )


def _shown(checked: Checked) -> Group:
    whole = checked.files - len(checked.not_whole)
    head = Text(
        f"{whole} of {checked.files} files ({size(checked.payload_bytes)}) are whole in {checked.folder}"
    )
    if not checked.not_whole:
        return Group(head)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("file", "id", "is"):
        table.add_column(heading, overflow="fold", header_style="dim")
    for one in checked.not_whole[:SHOWN]:
        table.add_row(Text(one.path), str(one.file_id), Text(one.standing, style="red"))
    parts: list[RenderableType] = [head, table]
    if (more := len(checked.not_whole) - SHOWN) > 0:
        parts.append(Text(f"and {more} more: see --json"))
    ids = " ".join(str(one.file_id) for one in checked.not_whole[:SHOWN])
    parts.append(Text(f"The archive has them; bring them back with:\nchasqui stage {ids} --wait"))
    return Group(*parts)
