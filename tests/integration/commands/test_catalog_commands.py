"""chasqui catalog at two sites that really run: registered once, known everywhere, explained where it is awaited."""

import json
from pathlib import Path

import pytest
import yaml

from commands.catalog import Doing, Wanted, apply, not_interactive
from commands.catalog_showing import show
from commands.explain import explain
from contracts.catalog.applied import CatalogApplied
from contracts.registry import REGISTRY
from contracts.subjects import events_stream
from libs.bus.connection import connected
from libs.errors import UserError
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from tests.integration.commands.test_opsdb_commands import paper, up, written
from tests.support.road import Road
from tests.support.upkeep import verified

pytestmark = pytest.mark.integration

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "catalog.yaml"


async def applied(place: Place, file: Path, doing: Doing = Doing.NOW) -> str:
    shown = paper()
    assert await apply(place, Wanted(file, doing, "it is needed"), not_interactive, console=shown) == 0
    return written(shown)


async def told(place: Place) -> CatalogApplied:
    """The last change in the site's log."""
    async with connected(place.bus_address(), name="test") as client:
        subject = CatalogApplied.subject(place.site)
        message = await client.jetstream().get_last_msg(events_stream(place.site), subject)
        event = REGISTRY.read(CatalogApplied.type_name(), message.data or b"")
        assert isinstance(event, CatalogApplied)
        return event


async def test_a_catalog_is_registered_once_and_known_everywhere(road: Road, tmp_path: Path) -> None:
    here, there = road.telescope, road.centre
    async with up(road, tmp_path):
        assert "nothing was" not in await applied(here, EXAMPLE, Doing.NOT_AT_ALL)
        shown = paper()
        no = await apply(here, Wanted(EXAMPLE, Doing.ASKED), lambda _: False, console=shown)
        assert (no, "nothing was registered" in written(shown)) == (1, True)
        with pytest.raises(UserError) as nobody:
            await apply(here, Wanted(EXAMPLE, Doing.ASKED), not_interactive, console=paper())
        assert nobody.value.problem.code == "not_confirmed"

        first = await applied(here, EXAMPLE)
        assert "+ fixed source Orion KL" in first
        assert "changes registered at" in first
        before = await told(here)
        assert (before.reason, before.applied_at.tzinfo is not None) == ("it is needed", True)
        assert "nothing changes" in await applied(here, EXAMPLE)
        assert await told(here) == before

        data = paper()
        other = tmp_path / "other.yaml"
        other.write_text("version: 1\nobserving_programs: {GEco: {priority: 9, retired: true}}\n")
        assert await apply(here, Wanted(other, Doing.NOW), not_interactive, as_json=True, console=data) == 0
        answer = json.loads(written(data))
        assert (answer["applied"], answer["changes"][0]["fields"]["priority"]) == (
            True,
            {"before": 2, "after": 9},
        )
        async with (
            OpsDbReader.open(there.opsdb_dsn()) as opsdb,
            connected(here.bus_address(), name="t") as nc,
        ):
            last = (await nc.jetstream().stream_info(events_stream(here.site))).state.last_seq
            await opsdb.wait_applied(events_stream(here.site), last, timeout=60)
            assert await opsdb.fetchval("SELECT retired FROM observing_program WHERE name = 'GEco'")
            log = await opsdb.fetchval(
                "SELECT count(*) FROM system_log WHERE action = 'catalog.applied' AND actor <> 'an operator'"
            )
            assert log == 2
        wrong = tmp_path / "wrong.yaml"
        wrong.write_text("version: 1\nobs_units: {x: {observing_program: nobody's}}\n")
        shown = paper()
        assert await apply(here, Wanted(wrong, Doing.NOW), not_interactive, console=shown) == 2
        assert "parent_unknown" in written(shown)
        assert (await verified(here)).differences == ()


async def test_what_was_registered_can_be_shown_and_applied_again(road: Road, tmp_path: Path) -> None:
    here = road.telescope
    async with up(road, tmp_path):
        await applied(here, EXAMPLE)
        copy = tmp_path / "copy.yaml"
        shown = paper(100_000)
        assert await show(here, None, as_yaml=True, console=shown) == 0
        copy.write_text(written(shown))
        assert "nothing changes" in await applied(here, copy)
        wanted = yaml.safe_load(EXAMPLE.read_text())
        assert (
            yaml.safe_load(copy.read_text())["chai_tilings"]["Orion map"].keys()
            == wanted["chai_tilings"]["Orion map"].keys()
        )
        shown = paper()
        assert await show(here, "lines", console=shown) == 0
        assert "461.0407682" in written(shown)
        with pytest.raises(UserError) as unknown:
            await show(here, "line", console=paper())
        assert "Did you mean lines" in unknown.value.problem.remedy


async def test_what_arrived_early_waits_visibly_and_is_completed(road: Road, tmp_path: Path) -> None:
    here = road.telescope
    async with up(road, tmp_path) as workdir:
        async with OpsDbReader.open(here.opsdb_dsn()) as opsdb:
            [early] = await opsdb.fetch(
                "SELECT e.id, e.obs_unit FROM executed_obs_unit e JOIN obs_unit u ON u.name = e.obs_unit "
                "WHERE u.applied_at IS NULL AND e.site IS NOT NULL ORDER BY e.id LIMIT 1"
            )
        data = paper()
        await show(here, None, as_json=True, console=data)
        waiting = {(one["table"], one["name"]): one for one in json.loads(written(data))["waiting"]}
        assert waiting["obs_unit", early["obs_unit"]]["executed"] >= 1
        shown = paper()
        await explain(workdir, str(early["id"]), site=here.site, console=shown)
        assert f"ObsUnit {early['obs_unit']!r} is not registered" in written(shown)

        file = tmp_path / "units.yaml"
        file.write_text(
            f"version: 1\nobserving_programs: {{P: }}\nobs_units: {{{early['obs_unit']}: {{observing_program: P}}}}\n"
        )
        await applied(here, file)
        shown = paper()
        await explain(workdir, str(early["id"]), site=here.site, console=shown)
        assert "is not registered" not in written(shown)
        data = paper()
        await show(here, None, as_json=True, console=data)
        assert early["obs_unit"] not in [one["name"] for one in json.loads(written(data))["waiting"]]
