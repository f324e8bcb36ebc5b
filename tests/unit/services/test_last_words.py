"""What each service says of a thing when its message is given up, by whatever failure."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from contracts.base import Event
from contracts.bundles import BundledPackage, BundleSealed
from contracts.envelope import Envelope
from contracts.files import FilesScanned, RenderFailed, ScannedFile
from contracts.packages import PackageCorrupted, PackageFailed, PackageVerified
from contracts.problems import Problem
from contracts.staging import Selection, StagingFailed, StagingRequested
from contracts.states import LocationType
from contracts.transfers import MovedPackage, TransferCompleted, TransferFailed, transfer_id
from libs.bus.delivery import Delivery
from libs.errors import ChasquiError
from libs.service.service import Place
from libs.sites.credentials import Credentials
from libs.sites.models import RouteSettings
from services.archiver.handlers import ArchiverHandlers
from services.bundler.handlers import BundlerHandlers
from services.mover.handlers import MoverHandlers
from services.renderer.handlers import RendererHandlers
from services.stager.handlers import StagerHandlers
from services.verifier.handlers import VerifierHandlers
from tests.support.deployments import archive, deployment, disk
from tests.support.sealed import bundle_of, seal

NONE: Any = cast("Any", None)
PROBLEM = Problem(code="disk_full", reason="the disk is full", remedy="Make room.")
WORLD = deployment(
    {
        "chile": {"chile-buffer": disk(LocationType.BUFFER)},
        "cologne": {
            "cologne-buffer": disk(LocationType.BUFFER),
            "cologne-archive": archive(),
            "cologne-processing": disk(LocationType.PROCESSING),
        },
    },
    {"link": RouteSettings(origin="chile", destination="cologne")},
)


def place(site: str) -> Place:
    return Place(site, WORLD, Credentials({}), Path("/nowhere"))


def delivery_of(event: Event, site: str) -> Delivery:
    envelope = Envelope.of(event, site=site, service="test", time=datetime.now(UTC))
    return Delivery(envelope, f"EVENTS_{site}", 7, 1)


@pytest.fixture
def package(tmp_path: Path) -> BundledPackage:
    (tmp_path / "chile-buffer").mkdir()
    return seal(tmp_path / "chile-buffer", "chile")


def arrived(bundle: BundleSealed) -> TransferCompleted:
    (one,) = bundle.packages
    return TransferCompleted(
        transfer_id=transfer_id(bundle.bundle_id, "cologne"),
        bundle_id=bundle.bundle_id,
        route=bundle.route,
        origin="chile",
        destination="cologne",
        origin_location="chile-buffer",
        location="cologne-buffer",
        size=bundle.size,
        seconds=1.0,
        packages=(MovedPackage(package=one.package, origin_path=one.path, path=one.path, attempt=1),),
    )


def mover() -> MoverHandlers:
    return MoverHandlers(
        place=place("chile"),
        client=NONE,
        publisher=NONE,
        completed_before=NONE,
        breakers=NONE,
        hindsight=NONE,
    )


def test_a_bundle_that_is_not_moved_fails(package: BundledPackage) -> None:
    bundle = bundle_of(WORLD, package)
    (said,) = mover().given_up(bundle, delivery_of(bundle, "chile"), PROBLEM)
    assert isinstance(said, TransferFailed)
    assert said.transfer_id == transfer_id(bundle.bundle_id, "cologne")
    assert (said.problem, said.package_ids) == (PROBLEM, (package.package.package_id,))


def test_a_bundle_whose_route_is_no_more_says_nothing_by_an_error_of_ours(package: BundledPackage) -> None:
    """Which the bus takes for silence: a letter tells of it all the same."""
    bundle = bundle_of(WORLD, package).model_copy(update={"route": "unheard-of"})
    with pytest.raises(ChasquiError):
        mover().given_up(bundle, delivery_of(bundle, "chile"), PROBLEM)


def test_a_package_that_is_not_archived_fails(package: BundledPackage) -> None:
    event = PackageVerified(
        package=package.package,
        bundle_id=uuid4(),
        transfer_id=uuid4(),
        location="cologne-buffer",
        path=package.path,
    )
    handlers = ArchiverHandlers(
        place=place("cologne"),
        archives=(),
        client=NONE,
        publisher=NONE,
        breakers=NONE,
        rotten=NONE,
        filler=NONE,
        repairer=NONE,
        hindsight=NONE,
    )
    delivery = delivery_of(event, "cologne")
    (said,) = handlers.given_up(event, delivery, PROBLEM)
    assert said == PackageFailed(
        package_id=package.package.package_id, cause=delivery.envelope.id, service="archiver", problem=PROBLEM
    )
    elsewhere = event.model_copy(update={"location": "chile-buffer"})
    assert not handlers.given_up(elsewhere, delivery, PROBLEM)


def test_packages_of_an_arrival_that_is_not_read_fail_unless_they_were_told_of(
    package: BundledPackage,
) -> None:
    event = arrived(bundle_of(WORLD, package))
    handlers = VerifierHandlers(
        place=place("cologne"), client=NONE, publisher=NONE, breakers=NONE, memory=NONE, hindsight=NONE
    )
    delivery = delivery_of(event, "chile")
    (said,) = handlers.given_up(event, delivery, PROBLEM)
    assert said == PackageFailed(
        package_id=package.package.package_id, cause=delivery.envelope.id, service="verifier", problem=PROBLEM
    )
    handlers._reader._known[event.transfer_id] = {package.package.package_id: NONE}
    assert not handlers.given_up(event, delivery, PROBLEM)
    assert not handlers.given_up(event.model_copy(update={"location": "elsewhere"}), delivery, PROBLEM)


def test_a_damaged_package_that_is_not_sent_again_fails_at_the_site_that_had_to(
    package: BundledPackage,
) -> None:
    event = PackageCorrupted(
        package=package.package,
        bundle_id=uuid4(),
        transfer_id=uuid4(),
        origin="chile",
        origin_location="chile-buffer",
        origin_path=package.path,
        location="cologne-buffer",
        attempt=3,
        problems=(PROBLEM,),
    )
    delivery = delivery_of(event, "cologne")

    def handlers(site: str) -> BundlerHandlers:
        return BundlerHandlers(opsdb=NONE, sealer=NONE, resender=NONE, site=site)

    (said,) = handlers("chile").repair_given_up(event, delivery, PROBLEM)
    assert said == PackageFailed(
        package_id=package.package.package_id, cause=delivery.envelope.id, service="bundler", problem=PROBLEM
    )
    assert not handlers("cologne").repair_given_up(event, delivery, PROBLEM)


def test_a_staging_job_that_ends_in_a_defect_fails() -> None:
    event = StagingRequested(
        job_id=uuid4(),
        requested_by="a scientist",
        requested_at=datetime.now(UTC),
        location="cologne-processing",
        folder="staging/x",
        selection=Selection(package_ids=(uuid4(),)),
    )
    handlers = StagerHandlers(opsdb=NONE, staging=NONE, locations=["cologne-processing"])
    delivery = delivery_of(event, "cologne")
    (said,) = handlers.buried(event, delivery, PROBLEM)
    assert said == StagingFailed(job_id=event.job_id, location=event.location, problem=PROBLEM)
    assert not handlers.buried(event.model_copy(update={"location": "elsewhere"}), delivery, PROBLEM)


def test_files_that_are_not_rendered_are_not_waited_for() -> None:
    files = tuple(
        ScannedFile(file_id=uuid4(), path=f"{n}.fits", module="main", size=1, mtime_ns=1) for n in range(3)
    )
    event = FilesScanned(executed_obs_unit_id=uuid4(), instrument="camera", location="source", files=files)
    handlers = RendererHandlers(place=place("chile"), pool=NONE, hindsight=NONE)
    (said,) = handlers.given_up(event, delivery_of(event, "chile"), PROBLEM)
    assert isinstance(said, RenderFailed)
    assert [file.file_id for file in said.files] == [file.file_id for file in files]
    assert {file.problem.code for file in said.files} == {"render_given_up"}
    assert "disk_full" in said.files[0].problem.reason
