"""A bit turned in an archive: what is staged meanwhile comes whole from the other one, and the scrub has it mended."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from contracts.copies import CopyRepaired, CopyScrubbed
from contracts.packages import PackageSealed
from tests.faults import deployment
from tests.faults.conftest import NewReport
from tests.faults.deployment import ARCHIVES
from tests.faults.doing.flipping import flip, observed, sealed_package
from tests.faults.ledger import sha256_of
from tests.faults.scenario import Scene, check, playing, set_up
from tests.faults.scientist import Scientist
from tests.faults.system import standing

pytestmark = [
    pytest.mark.faults,
    pytest.mark.long,
    pytest.mark.timeout(1800),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("between"),
]


@asynccontextmanager
async def scene_with_scrubs(folder: Path, new_report: NewReport) -> AsyncIterator[Scene]:
    """A stage of its own, whose archives are read again every few seconds."""
    config = deployment.write(folder, scrub="5s")
    async with (
        standing(folder / "work", config) as system,
        set_up(system) as stage,
        playing(stage, new_report("a bit turned in an archive")) as scene,
    ):
        yield scene


async def test_a_bit_is_turned_in_an_archive(tmp_path: Path, new_report: NewReport, *, long: bool) -> None:
    async with scene_with_scrubs(tmp_path, new_report) as scene:
        for _ in range(6 if long else 1):
            await flip_an_archived_package(scene)
        await check(scene)


async def flip_an_archived_package(scene: Scene) -> None:
    """Turn a bit of one archive copy, bring the observation back all the same, and see the copy repaired."""
    scientist = Scientist(scene.system, scene.ledger, scene.chronicle, scene.rng)
    observation = await observed(scene)
    sealed = await sealed_package(scene, observation)
    package = sealed.package.package_id
    log = scene.chronicle
    await log.until(lambda: log.archived.get(package, set()) >= {*ARCHIVES}, "the archives")
    objects = stored(scene, sealed)
    assert len(objects) == len(ARCHIVES)
    flip(scene.rng.choice(objects), scene.rng)
    scene.did("a bit is turned in an archive's own file")
    await scientist.bring_back([observation])
    scene.did("the observation is brought back")
    await log.until(
        lambda: any(
            one.problem is not None for one in log.of(CopyScrubbed) if one.copy_ref.entity_id == package
        ),
        "the scrub that finds it",
    )
    await log.until(lambda: package in {one.copy_ref.entity_id for one in log.of(CopyRepaired)}, "the repair")
    scene.did("a scrub found it, and it is repaired from the other archive")


def stored(scene: Scene, sealed: PackageSealed) -> list[Path]:
    """The files in which the S3 server keeps a package; blocking."""
    devices = scene.system.workdir.servers / "s3" / "devices"
    return [
        path
        for path in sorted(devices.rglob("*.data"))
        if path.stat().st_size == sealed.package.size and sha256_of(path) == sealed.package.sha256
    ]
