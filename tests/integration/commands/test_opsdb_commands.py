"""chasqui opsdb, found by its work directory as `up` would announce it."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from rich.console import Console

from commands.opsdb import Where, verify
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
        await writer.execute("INSERT INTO instrument_module VALUES ('none', 'nothing')")
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
            "none nothing",
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


async def test_nothing_runs_there(tmp_path: Path) -> None:
    with pytest.raises(UserError) as told:
        await verify(Where(Workdir(tmp_path)), samples=5, console=paper())
    assert told.value.problem.code == "not_running"
