"""Every command with one running `chasqui up`: answers and exit statuses."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from commands.run import place_of
from contracts.packages import PackageSealed
from contracts.registry import REGISTRY
from contracts.subjects import events_stream
from libs.bus.connection import connect
from libs.sites.workdir import Workdir
from tests.support.machine import INSTRUMENT
from tests.support.standing import Standing
from tests.support.standing import standing as stands

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(480), pytest.mark.xdist_group("e2e")]
UNKNOWN = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """One `chasqui up` for all tests."""
    with stands(tmp_path_factory.mktemp("commands") / "work") as made:
        yield made


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["status", "--site", "mars"], "unknown_site"),
        (["explain", UNKNOWN], "unknown_id"),
        (["explain", "my-file"], "id_invalid"),
        (["explain", UNKNOWN, "--site", "mars"], "unknown_site"),
        (["stage", UNKNOWN], "unknown_id"),
        (["stage", "my-file"], "id_invalid"),
        (["release", UNKNOWN], "unknown_staging_job"),
        (["hold", "place", "--reason", "why"], "scope_unclear"),
        (["hold", "place", "--reason", "why", "--instrument", "nobody"], "unknown_instrument"),
        (["hold", "release", UNKNOWN, "--reason", "why"], "unknown_hold"),
        (["hold", "list", "--site", "mars"], "unknown_site"),
        (["file", "a", "--instrument", "nobody"], "unknown_instrument"),
        (["file", "a", "--instrument", INSTRUMENT, "--module", "nothing"], "unknown_module"),
        (["file", "../a", "--instrument", INSTRUMENT], "path_outside"),
        (["file", "/etc/passwd", "--instrument", INSTRUMENT], "path_absolute"),
        (
            ["file", "a", "--instrument", INSTRUMENT, "--target", "X", "--ra", "500", "--dec", "0"],
            "target_invalid",
        ),
        (["file", "a", "--instrument", INSTRUMENT, "--ra", "5", "--dec", "0"], "target_invalid"),
        (["simulate", "--instrument", "nobody"], "unknown_instrument"),
        (["up"], "workdir_in_use"),
        (["demo"], "workdir_not_a_demo"),
    ],
)
def test_refusals_of_what_runs(standing: Standing, words: list[str], code: str) -> None:
    answer = standing.say(*words, "--json")
    assert (answer.status, answer.code) == (2, code)


@pytest.mark.parametrize(
    ("service", "site", "code"),
    [
        ("packager", "mars", "unknown_site"),
        ("archiver", "chile", "service_not_needed"),
        ("postman", "chile", "unknown_service"),
    ],
)
def test_no_instance_where_it_has_no_work(standing: Standing, service: str, site: str, code: str) -> None:
    answer = standing.say("run", service, "--site", site)
    assert answer.status == 2
    assert f"({code})" in answer.err


def test_a_refused_observation_does_not_stay_open(standing: Standing) -> None:
    name = uuid4().hex
    assert standing.say("file", "../a", "--instrument", INSTRUMENT, "--obs-unit", name).status == 2
    standing.until(lambda: "running" not in standing.done("status")["chile"]["observations"], "the end of it")


def test_filed_archived_staged_and_released(standing: Standing) -> None:
    path = standing.write("night/a b.raw", b"what was seen")
    filed = standing.done("file", path, "--instrument", INSTRUMENT, "--target", "M 31", "--wait")
    (file_id,) = filed["file_ids"]
    unit = filed["executed_obs_unit_id"]
    assert standing.done("explain", unit)["kind"] == "executed_obs_unit"

    job = standing.done("stage", file_id, "--wait")
    staged = Path(job["path"]) / INSTRUMENT / path
    assert staged.read_bytes() == b"what was seen"
    assert standing.done("release", job["job_id"])["folder"] == job["folder"]
    standing.until(lambda: not Path(job["path"]).exists(), "clearing of the staged folder")
    again = standing.done("stage", unit, "--wait")
    assert (Path(again["path"]) / INSTRUMENT / path).read_bytes() == b"what was seen"


def test_an_instrument_is_played(standing: Standing) -> None:
    words = ("--frames", "3", "--per-observation", "2", "--rate", "50", "--size", "64")
    units = standing.done("simulate", *words)["executed_obs_unit_ids"]
    assert len(units) == 2

    def archived() -> bool:
        found = [standing.done("explain", unit, "--site", "cologne") for unit in units]
        return all("package.archived" in json.dumps(one["timeline"]) for one in found)

    standing.until(archived, "the archive")


def test_the_ops_db_is_rebuilt_under_the_services(standing: Standing) -> None:
    before = standing.done("opsdb", "verify")
    assert {site: one["equal"] for site, one in before.items()} == {"chile": True, "cologne": True}
    rebuilt = standing.done("opsdb", "rebuild")
    assert {site: one["kept"] for site, one in rebuilt.items()} == {"chile": None, "cologne": None}
    path = standing.write("night/after.raw", b"seen after it")
    standing.done("file", path, "--instrument", INSTRUMENT, "--wait")
    after = standing.done("opsdb", "verify")
    assert all(one["equal"] and one["events"] > before[site]["events"] for site, one in after.items())


async def sealed_packages(standing: Standing, site: str) -> Counter[str]:
    """How often packages of each observation were sealed."""
    place = place_of(site, None, Workdir(standing.workdir))
    client = await connect(place.bus_address(), name="test")
    try:
        js = client.jetstream()
        stream, subject = events_stream(site), PackageSealed.subject(site)
        found: Counter[str] = Counter()
        for sequence in range(1, (await js.stream_info(stream)).state.last_seq + 1):
            raw = await js.get_msg(stream, sequence)
            if raw.subject == subject:
                event = REGISTRY.read(PackageSealed.type_name(), raw.data or b"")
                assert isinstance(event, PackageSealed)
                found[str(event.package.provenance.executed_obs_unit_id)] += 1
        return found
    finally:
        await client.close()


@pytest.mark.long
def test_a_second_packager_shares_the_work(standing: Standing, tmp_path: Path) -> None:
    with standing.joined("packager", "chile", tmp_path / "log"):
        paths = [standing.write(f"shared/{number}.raw", b"%d" % number * 1000) for number in range(8)]
        units = [
            standing.done("file", path, "--instrument", INSTRUMENT)["executed_obs_unit_id"] for path in paths
        ]
        standing.until(
            lambda: set(units) <= set(asyncio.run(sealed_packages(standing, "chile"))), "all packages"
        )
    # Whoever stops hands back what it has not done: nothing is sealed twice or never.
    sealed = asyncio.run(sealed_packages(standing, "chile"))
    assert {unit: sealed[unit] for unit in units} == dict.fromkeys(units, 1)
    own = [line for line in (tmp_path / "log").read_text().splitlines() if '"event": "sealed"' in line]
    assert 0 < len(own) < len(units), "one instance did all the work"
