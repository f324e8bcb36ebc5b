"""chasqui opsdb, found by its work directory as `up` would announce it."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
import yaml
from rich.console import Console

from commands.opsdb import Where, rebuild, verify
from libs.errors import UserError
from libs.opsdb.reader import OpsDbReader
from libs.sites.running import Running, announced
from libs.sites.workdir import Workdir
from tests.support.histories.logs import eventful, log
from tests.support.published import publish
from tests.support.road import Road

pytestmark = pytest.mark.integration


@asynccontextmanager
async def up(road: Road, tmp_path: Path) -> AsyncIterator[Workdir]:
    """Both sites with their projectors, which have applied a log."""
    workdir = Workdir(tmp_path / "work")
    sites = (road.telescope, road.centre)
    async with road.running(road.telescope, "projector"), road.running(road.centre, "projector"):
        last = await publish(road, log(eventful(5, 3), 3))
        for place in sites:
            async with OpsDbReader.open(place.opsdb_dsn()) as reader:
                for stream, sequence in last.items():
                    await reader.wait_applied(stream, sequence, timeout=60)
        running = Running.here(road.telescope.deployment, tuple(place.site for place in sites), {})
        with announced(workdir, running, road.telescope.credentials):
            yield workdir


def paper(width: int = 200) -> Console:
    return Console(file=io.StringIO(), width=width)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_verify(road: Road, tmp_path: Path) -> None:
    here, there = road.telescope.site, road.centre.site
    async with up(road, tmp_path) as workdir:
        shown, data = paper(), paper()
        assert await verify(Where(workdir), samples=5, console=shown) == 0
        assert f"{here}: " in written(shown)
        assert f"{there}: " in written(shown)
        assert await verify(Where(workdir, site=here), samples=5, console=data, as_json=True) == 0
        found = json.loads(written(data))
        assert (list(found), found[here]["equal"], found[here]["differences"]) == ([here], True, [])

        writer = await asyncpg.connect(road.telescope.opsdb_writer_dsn())
        status = await writer.execute("UPDATE site SET description = '[red]\n'")
        await writer.execute("DELETE FROM unfiled_file")
        await writer.execute("INSERT INTO instrument_module VALUES ('camera', 'nothing')")
        await writer.close()
        sites = int(status.rpartition(" ")[2])

        shown, data = paper(), paper()
        assert await verify(Where(workdir), samples=1, console=shown) == 1
        text = written(shown)
        for words in (
            "3 tables are not what the log says",
            f"site: 0 missing, 0 extra, {sites} changed",
            "description",
            "[red]\\n",
            f"and {sites - 1} rows more",
            "instrument_module: 0 missing, 1 extra, 0 changed",
            "camera nothing",
            f"{there}: ",
            "chasqui opsdb rebuild",
        ):
            assert words in text, words
        assert await verify(Where(workdir, site=here), samples=1, console=data, as_json=True) == 1
        found = json.loads(written(data))[here]
        tables = {one["table"]: one for one in found["differences"]}
        assert tables.keys() == {"site", "unfiled_file", "instrument_module"}
        assert tables["unfiled_file"]["missing"] > 0
        [row] = tables["site"]["rows"]
        assert row["kind"] == "changed"
        assert row["columns"]["description"]["opsdb"] == "[red]\n"


async def test_rebuild(road: Road, tmp_path: Path) -> None:
    here, there = road.telescope.site, road.centre.site
    async with up(road, tmp_path) as workdir:
        writer = await asyncpg.connect(road.telescope.opsdb_writer_dsn())
        await writer.execute("DELETE FROM unfiled_file")
        await writer.close()
        assert await verify(Where(workdir, site=here), samples=1, console=paper()) == 1

        shown, data = paper(), paper()
        assert await rebuild(Where(workdir), keep=True, patience_s=60, console=shown) == 0
        for words in (
            f"{here}: rebuilt from ",
            f"{there}: rebuilt from ",
            "events/s",
            '"chasqui_kept_public_',
        ):
            assert words in written(shown), words
        assert await rebuild(Where(workdir, site=here), patience_s=60, console=data, as_json=True) == 0
        [done] = json.loads(written(data)).values()
        assert done["kept"] is None
        assert done["events"] == sum(done["positions"].values()) > 0
        assert await verify(Where(workdir), samples=1, console=paper()) == 0


async def test_nothing_runs_there(tmp_path: Path) -> None:
    nowhere = Where(Workdir(tmp_path))
    for work in (
        verify(nowhere, samples=5, console=paper()),
        rebuild(nowhere, patience_s=1, console=paper()),
    ):
        with pytest.raises(UserError) as told:
            await work
        assert told.value.problem.code == "not_running"


async def test_a_deployment_of_real_servers(
    road: Road, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by its file and the environment, as on a machine without `up`."""
    place = road.centre
    config = tmp_path / "deployment.yaml"
    alone = {"sites": {place.site: place.settings}, "routes": {}, "instruments": {}}
    written_down = place.deployment.model_copy(update=alone).model_dump(mode="json", exclude_none=True)
    config.write_text(yaml.safe_dump(written_down))
    for name, value in place.credentials._values.items():
        monkeypatch.setenv(name, value)
    shown = paper()
    assert await verify(Where(Workdir(tmp_path), config), samples=5, console=shown) == 0
    assert f"{place.site}: " in written(shown)
    with pytest.raises(UserError) as told:
        await verify(Where(Workdir(tmp_path), config, "mars"), samples=5, console=paper())
    assert told.value.problem.code == "unknown_site"
