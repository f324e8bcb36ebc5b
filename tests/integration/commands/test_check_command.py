"""chasqui check against a data centre that really runs: a job's files, whole and not, and jobs with nothing to check."""

import asyncio
import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from rich.console import Console

from commands.check import check
from contracts.staging import ReleaseReason, Selection, StagingCompleted, StagingReleased, StagingRequested
from contracts.subjects import events_stream
from libs.errors import UserError
from libs.opsdb.reader import OpsDbReader
from libs.sites.running import Running, announced
from libs.sites.workdir import Workdir
from tests.support.archived import Package, sealed
from tests.support.road import PATIENCE_S, Road

pytestmark = pytest.mark.integration


async def asked(workdir: Workdir, job: UUID, *, as_json: bool = True) -> tuple[int, Any]:
    out = io.StringIO()
    status = await check(workdir, str(job), as_json=as_json, console=Console(file=out, width=200))
    return status, json.loads(out.getvalue()) if as_json else out.getvalue()


async def staged(road: Road, package: Package, selection: Selection) -> tuple[StagingRequested, Path]:
    """A job that is complete, and its folder."""
    job, location = uuid4(), f"{road.centre.site}-processing"
    event = StagingRequested(
        job_id=job,
        selection=selection,
        requested_by="a scientist",
        requested_at=datetime.now(UTC),
        location=location,
        folder=f"staging/{job}",
        keep_for_s=3600.0,
    )
    await package.archive()
    await road.publisher(road.centre, "gateway").publish([event])
    await road.wait_for(road.centre, StagingCompleted)
    await applied(road)
    return event, road.folder(location) / event.folder


async def applied(road: Road) -> None:
    stream = events_stream(road.centre.site)
    last = (await road.client(road.centre).jetstream().stream_info(stream)).state.last_seq
    async with OpsDbReader.open(road.centre.opsdb_dsn()) as opsdb:
        await opsdb.wait_applied(stream, last, timeout=PATIENCE_S)


def turn_a_bit(path: Path) -> None:
    """It looks as before from outside."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


async def test_staged_files_that_are_not_as_they_were_written_are_named(road: Road, tmp_path: Path) -> None:
    package = await sealed(road, {f"{name}.fits": os.urandom(5000) for name in "abcd"})
    paths, workdir = sorted(package.contents), Workdir(tmp_path / "work")
    ids = {path: package.observation.files[path].file_id for path in paths}
    wanted = Selection(file_ids=tuple(ids[path] for path in paths[:3]))
    running = Running.here(road.centre.deployment, (road.centre.site,), {})
    async with road.running(road.centre, "projector", "stager"):
        job, folder = await staged(road, package, wanted)
        with announced(workdir, running, road.centre.credentials):
            status, found = await asked(workdir, job.job_id)
            assert (status, found["not_whole"]) == (0, [])
            assert (found["files"], found["payload_bytes"], found["folder"]) == (3, 15_000, str(folder))

            await asyncio.to_thread(turn_a_bit, folder / paths[0])
            (folder / paths[1]).unlink()
            (folder / "a result of mine").write_text("stays")
            status, found = await asked(workdir, job.job_id)
            bad = [(one["path"], one["file_id"], one["standing"]) for one in found["not_whole"]]
            assert status == 1
            assert bad == [
                (paths[0], str(ids[paths[0]]), "damaged"),
                (paths[1], str(ids[paths[1]]), "missing"),
            ]
            _, words = await asked(workdir, job.job_id, as_json=False)
            assert words.startswith("1 of 3 files")
            assert f"chasqui stage {ids[paths[0]]} {ids[paths[1]]} --wait" in words

            with pytest.raises(UserError, match="unknown_staging_job"):
                await check(workdir, str(uuid4()))
            released = StagingReleased(
                job_id=job.job_id, location=job.location, folder=job.folder, reason=ReleaseReason.RELEASED
            )
            await road.publisher(road.centre, "gateway").publish([released])
            await applied(road)
            with pytest.raises(UserError, match="not_staged"):
                await check(workdir, str(job.job_id))
