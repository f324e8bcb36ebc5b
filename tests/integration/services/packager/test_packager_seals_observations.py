"""From scanned files to sealed packages."""

import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.files import FilesAssigned, FilesPackaged
from contracts.packages import PackagePlanned, PackageSealed, package_id
from libs.packaging import inspect_bag
from libs.service.service import Place
from tests.support.observing import Observation, sha256
from tests.support.road import Road

pytestmark = pytest.mark.integration


def with_instrument(place: Place, **settings: object) -> Place:
    """The place with other settings of its camera."""
    deployment = place.deployment
    camera = deployment.instruments["camera"].model_copy(update=settings)
    return replace(place, deployment=deployment.model_copy(update={"instruments": {"camera": camera}}))


def tar_of(road: Road, sealed: PackageSealed) -> Path:
    return road.folder(sealed.buffer) / sealed.path


async def test_a_finished_observation_becomes_one_package_a_module(road: Road) -> None:
    observation = Observation(road)
    await observation.start()
    main = await observation.file({f"{n}.fits": b"m" * n for n in range(5)})
    guide = await observation.file({"guide.fits": b"g" * 9}, module="guide")
    await observation.scan([*main, *guide], at_once=2)
    await observation.finish()
    async with road.running(road.telescope, "projector", "packager"):
        sealed = await road.wait_for(road.telescope, PackageSealed, count=2)
        await road.eventually(lambda: _packaged(road, 6), what="the projection of the packages")
    by_module = {one.package.provenance.module: one for one in sealed}
    assert by_module["main"].package.file_count == 5
    assert by_module["guide"].package.file_count == 1
    for one in sealed:
        bag = inspect_bag(
            tar_of(road, one), expected_sha256=one.package.sha256, expected_size=one.package.size
        )
        assert {file.path for file in bag.files} == set(
            guide if one.package.provenance.module == "guide" else main
        )
    with tarfile.open(tar_of(road, by_module["main"])) as tar:
        info = tar.extractfile(f"{by_module['main'].package.name.removesuffix('.tar')}/bag-info.txt")
        assert info is not None
        assert f"Internal-Sender-Identifier: {observation.unit}\n" in info.read().decode()
    packaged = await road.events_of(road.telescope, FilesPackaged)
    sums = {file.file_id: file.sha256 for part in packaged for file in part.files}
    assert sums[observation.files[main[3]].file_id] == sha256(b"mmm")
    assert await road.letters(road.telescope) == []


async def _packaged(road: Road, count: int) -> bool:
    rows = await road.query(
        road.telescope, "SELECT count(*) AS files FROM raw_data_file WHERE state = 'packaged'"
    )
    return bool(rows[0]["files"] == count)


async def test_a_long_observation_travels_in_full_packages_while_it_goes_on(road: Road) -> None:
    place = with_instrument(road.telescope, max_files=4)
    observation = Observation(road)
    async with road.running(place, "projector", "packager"):
        await observation.start()
        early = await observation.file({f"{n:02d}.fits": b"x" * 10 for n in range(10)})
        await observation.scan(early)
        full = await road.wait_for(place, PackageSealed, count=2)
        assert [one.package.file_count for one in full] == [4, 4]
        late = await observation.file({"10.fits": b"last"})
        await observation.finish()
        await observation.scan(late)
        everything = await road.wait_for(place, PackageSealed, count=3)
    assert [one.package.file_count for one in everything] == [4, 4, 3]
    planned = await road.events_of(place, PackagePlanned)
    assert [one.number for one in planned] == [1, 2, 3]


async def test_no_package_is_larger_than_the_limit(road: Road) -> None:
    place = with_instrument(road.telescope, package_limit=100_000)
    observation = Observation(road)
    await observation.observe({f"{n}.fits": bytes([n]) * 30_000 for n in range(7)})
    async with road.running(place, "projector", "packager"):
        sealed = await road.wait_for(place, PackageSealed, count=4)
    assert all(one.package.size <= 100_000 for one in sealed)
    assert sum(one.package.file_count for one in sealed) == 7


async def test_a_missing_file_holds_nobody_up_and_travels_later(road: Road) -> None:
    observation = Observation(road)
    async with road.running(road.telescope, "projector", "packager"):
        await observation.start()
        there = await observation.file({"a.fits": b"a", "b.fits": b"b"})
        gone = await observation.file_missing("late.fits")
        await observation.scan(there)
        await observation.finish()
        await road.eventually(lambda: _finished(road), what="the projection of the end")
        assert await road.events_of(road.telescope, PackagePlanned) == []
        await observation.miss(gone)
        (first,) = await road.wait_for(road.telescope, PackageSealed)
        assert first.package.file_count == 2
        observation.on_disk(gone[0]).write_bytes(b"late")
        await observation.scan(gone)
        _, second = await road.wait_for(road.telescope, PackageSealed, count=2)
    assert (second.package.file_count, second.package.payload_bytes) == (1, 4)


async def _finished(road: Road) -> bool:
    return bool(await road.query(road.telescope, "SELECT FROM executed_obs_unit WHERE state = 'finished'"))


async def test_two_packagers_plan_no_file_twice(road: Road) -> None:
    place = with_instrument(road.telescope, max_files=7)
    observations = [Observation(road) for _ in range(3)]
    async with (
        road.running(place, "projector"),
        road.running(place, "packager"),
        road.running(place, "packager"),
    ):
        for observation in observations:
            await observation.start()
            paths = await observation.file({f"{n:03d}.fits": b"%d" % n for n in range(60)})
            await observation.scan(paths, at_once=3)
            await observation.finish()
        await road.eventually(lambda: _packaged(road, 180), what="all files packaged")
    assigned = await road.events_of(place, FilesAssigned)
    sealed = await road.events_of(place, PackageSealed)
    owners: dict[object, set[object]] = {}
    for event in assigned:
        for file in event.file_ids:
            owners.setdefault(file, set()).add(event.package_id)
    assert len(owners) == 180
    assert all(len(packages) == 1 for packages in owners.values())
    assert sum(one.package.file_count for one in sealed) == 180
    assert len({one.package.package_id for one in sealed}) == len(sealed)
    assert await road.letters(place) == []


async def test_a_plan_that_was_cut_off_is_completed(road: Road) -> None:
    observation = Observation(road)
    paths = await observation.observe({f"{n}.fits": b"x" * n for n in range(4)})
    ids = tuple(observation.files[path].file_id for path in paths)
    package = package_id(observation.unit, "main", 1)
    cut_off = FilesAssigned(
        package_id=package, executed_obs_unit_id=observation.unit, file_ids=ids[:2], part=1, parts=2
    )
    await observation.publisher.publish([cut_off])
    async with road.running(road.telescope, "projector", "packager"):
        sealed = await road.wait_for(road.telescope, PackageSealed, count=2)
    planned = await road.events_of(road.telescope, PackagePlanned)
    assert [(one.number, one.file_count) for one in planned] == [(1, 2), (2, 2)]
    assert planned[0].package_id == package
    assert sorted(one.package.file_count for one in sealed) == [2, 2]
