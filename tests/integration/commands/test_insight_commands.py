"""status, explain and stage against a site that really runs, found by its work directory."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from rich.console import Console

from commands.explain import explain
from commands.stage import release, stage
from commands.status import status
from contracts.packages import PackageStaged
from contracts.problems import Problem
from contracts.staging import StagingCompleted, StagingFailed, StagingRequested
from libs.errors import Permanent, Retriable, UserError
from libs.service.service import Place
from libs.sites.running import Running, SiteUrls, announced
from libs.sites.workdir import Workdir
from tests.support.door import Door, opened
from tests.support.histories import road as history
from tests.support.histories.road import Observation
from tests.support.road import Road

pytestmark = pytest.mark.integration

UNIT = Observation(number=1, files=2, start=datetime(2026, 5, 1, tzinfo=UTC))


@asynccontextmanager
async def up(road: Road, tmp_path: Path) -> AsyncIterator[tuple[Door, Workdir]]:
    """The data centre with its gateway, as `up` would announce it."""
    workdir = Workdir(tmp_path / "work")
    async with opened(road, road.centre, "projector") as door:
        urls = {door.place.site: SiteUrls(gateway=door.url)}
        running = Running.here(door.place.deployment, (door.place.site,), urls)
        with announced(workdir, running, door.place.credentials):
            await door.happen(history.road(UNIT))
            yield door, workdir


def paper(width: int = 160) -> Console:
    return Console(file=io.StringIO(), width=width)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_status_and_explain(road: Road, tmp_path: Path) -> None:
    async with up(road, tmp_path) as (door, workdir):
        shown, data = paper(), paper()
        assert await status(workdir, console=shown) == 0
        for word in (door.place.site, "1 archived", "2 packaged", "projector", "up to date", "%", "none"):
            assert word in written(shown), word
        assert await status(workdir, console=data, as_json=True) == 0
        assert json.loads(written(data))[door.place.site]["packages"] == {"archived": 1}

        shown, data = paper(), paper()
        assert await explain(workdir, str(UNIT.file_ids[0]), console=shown) == 0
        for word in (UNIT.paths[0], "packaged", "package.archived", history.ARCHIVE, str(UNIT.package_id)):
            assert word in written(shown), word
        assert await explain(workdir, f" {UNIT.id} ", console=data, as_json=True) == 0
        assert json.loads(written(data))["kind"] == "executed_obs_unit"
        for wanted, code in (("nonsense", "id_invalid"), (str(uuid4()), "unknown_id")):
            with pytest.raises(UserError) as error:
                await explain(workdir, wanted, console=paper())
            assert error.value.problem.code == code
        with pytest.raises(UserError) as unknown_site:
            await status(workdir, site="nowhere", console=paper())
        assert unknown_site.value.problem.code == "unknown_site"


async def test_a_site_whose_servers_are_away_is_told(
    road: Road, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with up(road, tmp_path) as (door, workdir):

        def away(place: Place) -> str:
            return f"postgresql://nobody:x@127.0.0.1:1/{place.site}"

        monkeypatch.setattr("libs.service.service.Place.opsdb_dsn", away)
        shown = paper()
        assert await status(workdir, console=shown) == 1
        assert "opsdb_unavailable" in written(shown)
        assert door.place.site in written(shown)


async def test_nothing_runs(tmp_path: Path) -> None:
    for command in (
        status(Workdir(tmp_path)),
        explain(Workdir(tmp_path), str(uuid4())),
        stage(Workdir(tmp_path), ["x"]),
    ):
        with pytest.raises(UserError) as error:
            await command
        assert error.value.problem.code == "not_running"


async def answered(door: Door, outcome: Problem | None) -> UUID:
    """Do to the next request what the stager does, or fails to do."""
    (request,) = await door.road.wait_for(door.place, StagingRequested)
    publisher = door.road.publisher(door.place, "stager")
    if outcome is not None:
        await publisher.publish(
            [StagingFailed(job_id=request.job_id, location=request.location, problem=outcome)]
        )
        return request.job_id
    of_all: dict[str, Any] = {
        "job_id": request.job_id,
        "location": request.location,
        "folder": request.folder,
        "payload_bytes": 9,
    }
    await publisher.publish(
        [
            PackageStaged(package_id=UNIT.package_id, file_count=2, **of_all),
            StagingCompleted(packages=1, files=2, **of_all),
        ]
    )
    return request.job_id


async def test_stage_waits_and_prints_the_folder_then_releases(road: Road, tmp_path: Path) -> None:
    async with up(road, tmp_path) as (door, workdir):
        shown = paper()
        ids = [str(UNIT.id), str(UNIT.package_id), str(UNIT.file_ids[0]), str(UNIT.id)]
        staging = asyncio.create_task(stage(workdir, ids, wait=True, console=shown))
        job = await answered(door, None)
        assert await staging == 0
        folder = door.place.disk(f"{door.place.site}-processing").path / f"staging/{job}"
        assert written(shown).strip() == str(folder)
        (request,) = await road.events_of(door.place, StagingRequested)
        assert request.selection.executed_obs_unit_ids == (UNIT.id,)
        assert request.selection.package_ids == (UNIT.package_id,)
        assert request.selection.file_ids == (UNIT.file_ids[0],)
        data = paper()
        assert await release(workdir, str(job), console=data, as_json=True) == 0
        assert json.loads(written(data))["release_reason"] == "released"


async def test_stage_tells_failures(road: Road, tmp_path: Path) -> None:
    async with up(road, tmp_path) as (_, workdir):
        with pytest.raises(UserError) as odd:
            await stage(workdir, [str(UNIT.bundle_id)], console=paper())
        assert odd.value.problem.code == "cannot_be_staged"
        with pytest.raises(Retriable) as slow:
            await stage(workdir, [str(UNIT.id)], wait=True, within_s=0.1, console=paper(), as_json=True)
        assert slow.value.problem.code == "still_staging"


async def test_stage_fails_with_the_stagers_reason(road: Road, tmp_path: Path) -> None:
    async with up(road, tmp_path) as (door, workdir):
        problem = Problem(code="not_archived", reason="it is not archived", remedy="Wait.")
        staging = asyncio.create_task(stage(workdir, [str(UNIT.id)], wait=True, console=paper()))
        await answered(door, problem)
        with pytest.raises(Permanent) as error:
            await staging
        assert error.value.problem == problem
