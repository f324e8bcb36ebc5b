from pathlib import Path
from uuid import uuid4

import pytest

from contracts.bundles import BundledPackage
from contracts.packages import PackageSealed, PackageVerified
from contracts.states import LocationType
from libs.sites.models import DiskLocation, RouteSettings, S3Location
from services.archiver.app import runs_at
from services.archiver.arrivals import Arrival, archives_of, arrival_of
from tests.support.deployments import archive, deployment, disk
from tests.support.sealed import seal

SOURCE, BUFFER = LocationType.SOURCE, LocationType.BUFFER
TELESCOPE: dict[str, DiskLocation | S3Location] = {"source": disk(SOURCE), "buffer": disk(BUFFER)}
WHOLE: dict[str, DiskLocation | S3Location] = {**TELESCOPE, "archive": archive()}
AWAY = {"away": RouteSettings(origin="here", destination="there")}


@pytest.fixture
def one(tmp_path: Path) -> BundledPackage:
    (tmp_path / "buffer").mkdir()
    return seal(tmp_path / "buffer", "here")


def sealed(one: BundledPackage) -> PackageSealed:
    return PackageSealed(package=one.package, source="source", buffer=one.location, path=one.path)


def verified(one: BundledPackage, location: str) -> PackageVerified:
    return PackageVerified(
        package=one.package, bundle_id=uuid4(), transfer_id=uuid4(), location=location, path=one.path
    )


def test_a_verified_package_is_archived_where_it_arrived(one: BundledPackage) -> None:
    world = deployment({"here": WHOLE, "there": {}}, AWAY)
    assert arrival_of(verified(one, "buffer"), world, "here") == Arrival(one.package, "buffer", one.path)
    assert arrival_of(verified(one, "elsewhere"), world, "here") is None


def test_a_sealed_package_stays_only_if_nothing_travels(one: BundledPackage) -> None:
    alone = deployment({"here": WHOLE})
    assert arrival_of(sealed(one), alone, "here") == Arrival(one.package, "buffer", one.path)
    for other in (
        deployment({"here": WHOLE, "there": {}}, AWAY),
        deployment({"here": TELESCOPE}),
        deployment({"here": {"buffer": disk(BUFFER), "archive": archive()}}),
        deployment({"here": {**TELESCOPE, "archive": archive(active=False)}}),
    ):
        assert arrival_of(sealed(one), other, "here") is None


def test_active_archives_come_first_first() -> None:
    locations: dict[str, DiskLocation | S3Location] = {
        "late": archive(priority=2),
        "first": archive(priority=1),
        "off": archive(active=False),
        "disk": disk(BUFFER),
    }
    world = deployment({"here": locations, "there": TELESCOPE})
    assert list(archives_of(world.site("here"))) == ["first", "late"]
    assert runs_at(world, "here")
    assert not runs_at(world, "there")
