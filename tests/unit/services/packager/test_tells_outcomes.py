"""What is said of a package that was built, or could not be."""

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from contracts.files import FilesPackaged, FilesRefused
from contracts.packages import PackageAbandoned, PackagePlanned, PackageSealed, Provenance, package_id
from libs.packaging import BadFile, FileFault, SealedBag, SealedFile
from services.packager.outcomes import refused_events, sealed_events

UNIT = uuid4()
PLAN = PackagePlanned(
    package_id=package_id(UNIT, "main", 1),
    number=1,
    name="p.tar",
    source="source",
    buffer="buffer",
    file_count=1200,
    payload_bytes=1200,
    priority=3,
    provenance=Provenance(
        observatory="o",
        telescope="t",
        site="chile",
        instrument="camera",
        module="main",
        executed_obs_unit_id=UNIT,
    ),
)
IDS: dict[str, UUID] = {f"f{n}": uuid4() for n in range(1200)}


def test_the_sealed_package_follows_its_files_in_parts() -> None:
    files = tuple(SealedFile(path, 1, 5, "0" * 64, 512 * n) for n, path in enumerate(IDS))
    bag = SealedBag(Path("p.tar"), 9_999, "1" * 64, 1200, 1200, files)
    *parts, last = sealed_events(PLAN, "packages/p.tar", bag, IDS)
    packaged = [part for part in parts if isinstance(part, FilesPackaged)]
    assert [(part.part, part.parts, len(part.files)) for part in packaged] == [
        (1, 3, 500),
        (2, 3, 500),
        (3, 3, 200),
    ]
    assert [file.file_id for part in packaged for file in part.files] == list(IDS.values())
    assert isinstance(last, PackageSealed)
    assert (last.package.size, last.package.sha256, last.package.priority) == (9_999, "1" * 64, 3)
    assert all(len(part.model_dump_json()) < 256 * 1024 for part in parts)


@pytest.mark.parametrize("fault", FileFault)
def test_every_refused_file_has_a_reason_and_a_remedy(fault: FileFault) -> None:
    *parts, last = refused_events(PLAN, [BadFile("f7", fault, "found other")], IDS)
    assert isinstance(last, PackageAbandoned)
    assert "1 of 1200" in last.problem.reason
    (refused,) = parts
    assert isinstance(refused, FilesRefused)
    (file,) = refused.files
    assert (file.file_id, file.problem.code) == (IDS["f7"], fault.value)
    assert "found other" in file.problem.reason
    assert file.problem.remedy
