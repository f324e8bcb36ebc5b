"""Files that changed between scan and package."""

import pytest

from contracts.files import FilesAssigned, FilesPackaged, FilesRefused, PackagedFile, ProblemFile
from contracts.letters import LetterBuried
from contracts.packages import PackageAbandoned, PackagePlanned, PackageSealed, Provenance, package_id
from contracts.problems import Problem
from libs.packaging import inspect_bag
from tests.support.observing import Observation
from tests.support.road import Road

pytestmark = pytest.mark.integration

CONTENTS = {f"{n}.fits": b"%d" % n * 100 for n in range(5)}


async def test_bad_files_are_refused_and_the_others_travel(road: Road) -> None:
    observation = Observation(road)
    await observation.start()
    paths = await observation.file(CONTENTS, declare={"3.fits": "0" * 64})
    await observation.scan(paths)
    await observation.finish()
    changed, vanished, replaced, mismatched, good = (observation.on_disk(path) for path in paths)
    changed.write_bytes(b"longer than it was scanned" * 10)
    vanished.unlink()
    replaced.unlink()
    replaced.symlink_to(good)
    async with road.running(road.telescope, "projector", "packager"):
        (sealed,) = await road.wait_for(road.telescope, PackageSealed)
    refused = [file for event in await road.events_of(road.telescope, FilesRefused) for file in event.files]
    assert {file.path: file.problem.code for file in refused} == {
        paths[0]: "file_changed",
        paths[1]: "file_vanished",
        paths[2]: "not_a_regular_file",
        paths[3]: "checksum_mismatch",
    }
    assert all(file.problem.remedy for file in refused)
    assert mismatched.exists()
    (abandoned,) = await road.events_of(road.telescope, PackageAbandoned)
    assert "4 of 5" in abandoned.problem.reason
    assert [one.number for one in await road.events_of(road.telescope, PackagePlanned)] == [1, 2]
    tar = road.folder(sealed.buffer) / sealed.path
    bag = inspect_bag(tar, expected_sha256=sealed.package.sha256, expected_size=sealed.package.size)
    assert [file.path for file in bag.files] == [paths[4]]
    assert [path.name for path in tar.parent.iterdir()] == [tar.name]
    assert await road.letters(road.telescope) == []


async def test_a_changed_file_travels_once_it_was_scanned_again(road: Road) -> None:
    observation = Observation(road)
    async with road.running(road.telescope, "projector", "packager"):
        await observation.start()
        paths = await observation.file(CONTENTS)
        await observation.scan(paths)
        observation.on_disk(paths[0]).write_bytes(b"changed")
        await observation.finish()
        await road.wait_for(road.telescope, PackageSealed)
        await observation.scan([paths[0]])
        first, second = await road.wait_for(road.telescope, PackageSealed, count=2)
    assert (first.package.file_count, second.package.file_count) == (4, 1)
    assert second.package.payload_bytes == len(b"changed")


def by_hand(observation: Observation) -> tuple[FilesAssigned, PackagePlanned]:
    """What a packager says before it writes the observation's files into one package."""
    package = package_id(observation.unit, "main", 1)
    files = tuple(file.file_id for file in observation.files.values())
    site = observation.road.telescope.site
    planned = PackagePlanned(
        package_id=package,
        number=1,
        name="cut-off.tar",
        source=observation.location,
        buffer=f"{site}-buffer",
        file_count=len(files),
        payload_bytes=100 * len(files),
        provenance=Provenance(
            observatory="o",
            telescope="t",
            site=site,
            instrument="camera",
            module="main",
            executed_obs_unit_id=observation.unit,
        ),
    )
    return FilesAssigned(package_id=package, executed_obs_unit_id=observation.unit, file_ids=files), planned


async def test_a_plan_half_given_up_is_given_up_entirely(road: Road) -> None:
    observation = Observation(road)
    paths = await observation.observe(CONTENTS)
    files = {path: observation.files[path].file_id for path in paths}
    assigned, planned = by_hand(observation)
    package = planned.package_id
    vanished = Problem(code="file_vanished", reason="nothing is there", remedy="Put it back.")
    refused = FilesRefused(
        executed_obs_unit_id=observation.unit,
        instrument="camera",
        location=observation.location,
        package_id=package,
        files=(ProblemFile(file_id=files[paths[0]], path=paths[0], problem=vanished),),
    )
    for event in (assigned, planned, refused):
        await observation.publisher.publish([event])
    async with road.running(road.telescope, "projector"):
        await road.eventually(lambda: _refused(road), what="the projection of the refusal")
        async with road.running(road.telescope, "packager"):
            (sealed,) = await road.wait_for(road.telescope, PackageSealed)
    assert sealed.package.file_count == 4
    (abandoned,) = await road.events_of(road.telescope, PackageAbandoned)
    assert abandoned.package_id == package


async def _refused(road: Road) -> bool:
    return bool(
        await road.query(road.telescope, "SELECT FROM raw_data_file WHERE problem_code = 'file_vanished'")
    )


async def test_files_that_were_said_to_be_packaged_are_not_refused_but_a_person_told(road: Road) -> None:
    """Killed before PackageSealed; then the package in the BUFFER is gone, and the file in SOURCE another one."""
    observation = Observation(road)
    (path,) = await observation.observe({"0.fits": b"0" * 100})
    assigned, planned = by_hand(observation)
    file = PackagedFile(file_id=observation.files[path].file_id, sha256="1" * 64, offset=1024)
    packaged = FilesPackaged(
        package_id=planned.package_id, executed_obs_unit_id=observation.unit, files=(file,)
    )
    for event in (assigned, planned, packaged):
        await observation.publisher.publish([event])
    observation.on_disk(path).write_bytes(b"written anew, which nobody has archived")
    async with road.running(road.telescope, "projector", "packager"):
        await road.wait_for(road.telescope, LetterBuried)
    (letter,) = await road.letters(road.telescope)
    problem = Problem.model_validate_json(letter["chasqui-dead-problem"])
    assert problem.code == "packaged_files_lost"
    assert path in problem.reason
    assert await road.events_of(road.telescope, FilesRefused) == []
    assert await road.events_of(road.telescope, PackageAbandoned) == []
