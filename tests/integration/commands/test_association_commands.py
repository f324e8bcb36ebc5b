"""chasqui association and chasqui schema against a site that really runs."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from astropy.table import Table
from rich.console import Console

from commands.associations.carrying import FileFormat, export, import_
from commands.associations.changing import Listed, Manner, collect, made, plan, reopen
from commands.associations.desk import read_name
from commands.associations.generating import run as generate
from commands.associations.showing import Sought, show, show_list
from commands.explain import explain
from commands.schema import check_sddl
from contracts.associations import AssociationCollected, AssociationEvent, OrphanNoted
from libs.errors import UserError
from libs.sites.running import Running, announced
from libs.sites.workdir import Workdir
from tests.integration.commands.test_insight_commands import paper, written
from tests.support import exposures
from tests.support.machine import ROOT
from tests.support.road import Road

pytestmark = pytest.mark.integration

NOW, NOT_YET = Manner(dry_run=False, as_json=True), Manner(dry_run=True, as_json=True)
NAME = "J4K601090"
SDDL = ROOT / "examples" / "asn_members.sddl"
RULES = """
rules:
  - {name: fields, group_by: [target_name, obs_mode], exposure_type: EXP-DTH, products: [{id: "0", type: PROD-DTH}]}
  - {name: modes, group_by: [obs_mode]}
"""


@asynccontextmanager
async def up(road: Road, tmp_path: Path) -> AsyncIterator[Workdir]:
    """The telescope with its associator, as `up` would announce it."""
    workdir, place = Workdir(tmp_path / "work"), road.telescope
    async with road.running(place, "projector", "associator"):
        with announced(workdir, Running.here(place.deployment, (place.site,), {}), place.credentials):
            yield workdir


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


async def explained(workdir: Workdir, name: str = NAME) -> str:
    shown = paper(400)
    assert await explain(workdir, name.lower(), console=shown) == 0
    return written(shown)


async def test_from_a_plan_to_a_second_revision_and_its_product(
    road: Road, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = road.telescope
    listed = Listed(NAME.lower(), ("j4k60101:exp-dth", "J4K60103:EXP-DTH"), ("0:PROD-DTH",), None, "2d")
    async with up(road, tmp_path) as workdir:
        await exposures.say(road, *exposures.whole(1))
        assert await plan(workdir, listed, NOT_YET) == 0
        assert (told(capsys)["fact"], await road.events_of(place, AssociationEvent)) == ("planned", [])
        assert await plan(workdir, listed, NOW) == 0
        assert told(capsys)["event"]["head"]["expected"] == 2
        with pytest.raises(UserError) as again:
            await plan(workdir, listed, NOW)
        assert again.value.problem.code == "association_exists"

        async def one_is_here() -> bool:
            return "Here: 1." in await explained(workdir)

        await road.eventually(one_is_here, what="the exposure that was there before")
        words = await explained(workdir)
        assert "J4K60103 (not filed yet)" in words
        assert "at the latest" in words
        assert f"chasqui association collect {NAME}" in words

        assert await collect(workdir, NAME, NOT_YET) == 0
        assert told(capsys)["dry_run"]
        assert await road.events_of(place, AssociationCollected) == []
        assert await collect(workdir, NAME, NOW) == 0
        capsys.readouterr()
        [collected] = await road.events_of(place, AssociationCollected)
        assert collected.head.collection is not None
        assert (collected.head.collection.reason, collected.head.collection.missing) == ("forced", 1)
        with pytest.raises(UserError) as again:
            await collect(workdir, NAME, NOW)
        assert again.value.problem.code == "not_open"

        await exposures.say(road, *exposures.whole(3))
        await road.wait_for(place, OrphanNoted)

        async def is_late() -> bool:
            return "came after the collection: J4K60103" in await explained(workdir)

        await road.eventually(is_late, what="the orphan")
        assert await reopen(workdir, NAME, "the last one came", None, NOW) == 0
        await road.wait_for(place, AssociationCollected, count=2)
        await _made(road, workdir, capsys)
        await _carried(workdir, tmp_path, capsys)


async def _made(road: Road, workdir: Workdir, capsys: pytest.CaptureFixture[str]) -> None:
    async def is_collected() -> bool:
        return f"chasqui association made {NAME} 0 --file FILE" in await explained(workdir)

    await road.eventually(is_collected, what="the second revision")
    capsys.readouterr()
    with pytest.raises(UserError) as not_there:
        await made(workdir, NAME, "0", str(exposures.unit(1)), NOW)
    assert not_there.value.problem.code == "data_set_not_there"
    [file, _] = exposures.observation(1).file_ids
    assert await made(workdir, NAME, "0", str(file), NOW) == 0
    assert told(capsys)["event"]["products"][0]["product_status"] == "C"
    assert await made(workdir, NAME, "0", str(file), NOW) == 0
    assert told(capsys)["fact"] is None
    shown = paper(300)
    assert await show(workdir, NAME, site=None, as_json=False, console=shown) == 0
    assert "J4K601090" in written(shown)
    assert (await show_list(workdir, Sought("collected", "4k6"), site=None, as_json=True)) == 0
    [row] = told(capsys)
    assert (row["association_id"], row["revision"], row["here"], row["made"]) == (NAME, 2, 2, 1)
    [observation] = {one.id for one in (exposures.observation(3),)}
    shown = paper(300)
    assert await explain(workdir, str(observation), console=shown) == 0
    assert NAME in written(shown)
    assert road.telescope.site == row["site"]


async def _carried(workdir: Workdir, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, document = tmp_path / "a.fits", tmp_path / "a.json"
    quiet = Console(quiet=True)
    for format_, path in ((FileFormat.FITS, table), (FileFormat.JSON, document)):
        assert await export(workdir, NAME, format_, str(path), site=None, console=quiet) == 0
    assert [str(name) for name in Table.read(table, hdu="ASN")["MEMNAME"]] == [
        "J4K60101",
        "J4K60103",
        "J4K601090",
    ]
    with pytest.raises(UserError) as there:
        await export(workdir, NAME, FileFormat.FITS, str(table), site=None, console=quiet)
    assert there.value.problem.code == "file_exists"
    for path in (table, document):
        with pytest.raises(UserError) as known:
            await import_(workdir, path, None, NOW)
        assert known.value.problem.code == "association_exists"
    document.write_text(document.read_text().replace(NAME, "J4K6010A0"))
    capsys.readouterr()
    assert await import_(workdir, document, None, NOW) == 0
    taken = told(capsys)["event"]
    assert (taken["head"]["state"], taken["head"]["revision"]) == ("collected", 2)


async def test_rules_find_associations_once_and_tell_what_is_left(
    road: Road, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    async with up(road, tmp_path) as workdir:
        await exposures.say(road, *exposures.whole(1), *exposures.whole(2), exposures.named(12, as_=2))
        assert await generate(workdir, rules, None, None, NOT_YET) == 0
        would = told(capsys)
        assert [one["exposures"] for one in would["planned"]] == [["4K60101", "4K60102"]]
        assert [one["rule"] for one in would["claimed_again"]] == ["modes"]
        assert would["orphans"] == []
        assert await generate(workdir, rules, "4k6", "1d", NOW) == 0
        assert told(capsys)["planned"] == would["planned"]
        await road.wait_for(road.telescope, AssociationCollected)
        assert await generate(workdir, rules, None, None, NOW) == 0
        again = told(capsys)
        assert again["planned"] == []
        assert {one["kept"] for one in again["claimed_again"]} == {"J4K601010"}


async def test_the_table_is_what_the_relation_is_described_as(
    road: Road, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with up(road, tmp_path) as workdir:
        assert await check_sddl(workdir, SDDL, site=None, as_json=True) == 0
        [relation] = told(capsys)
        assert (relation["fields"], relation["indexes"], relation["mismatches"]) == (7, 2, [])
        other = tmp_path / "other.sddl"
        other.write_text(
            SDDL.read_text().replace("TYPE C12", "TYPE C14").replace("unique, clustered", "clustered")
        )
        shown = paper(200)
        assert await check_sddl(workdir, other, site=None, as_json=False, console=shown) == 1
        assert "field member_type" in written(shown)
        assert "index asn_members_1" in written(shown)
        nothing = tmp_path / "nothing.sddl"
        nothing.write_text("! nothing\n")
        with pytest.raises(UserError) as told_so:
            await check_sddl(workdir, nothing, site=None, as_json=False)
        assert told_so.value.problem.code == "no_relations"


@pytest.mark.parametrize("name", ["", "J4K60109", "J4K601091", str(exposures.unit(1))])
def test_what_is_no_association_is_told(name: str) -> None:
    with pytest.raises(UserError) as told_so:
        read_name(name)
    assert told_so.value.problem.code == "association_id_invalid"
