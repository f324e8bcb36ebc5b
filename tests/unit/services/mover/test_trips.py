from pathlib import Path

import pytest

from contracts.problems import Problem
from libs.errors import Retriable, UserError
from libs.sites.models import RouteSettings
from libs.transfer.engine import Copied, Existing, Failed, Outcome, Recovery, TransferItem, TransferReport
from services.mover.engines import EngineName
from services.mover.hops import Hop
from services.mover.loading import load
from services.mover.trips import Delayed, Lost, Trip, Whole, judge
from services.mover.trips import failed as gone
from tests.support.deployments import deployment
from tests.support.sealed import bundle_of, seal

ITEM = TransferItem("x", Path("/a"), Path("/b"), 1, "0" * 64)
WORLD = deployment(
    {"chile": {}, "cologne": {}}, {"way": RouteSettings(origin="chile", destination="cologne")}
)


def failed(code: str, recovery: Recovery) -> Failed:
    return Failed(ITEM, Problem(code=code, reason=f"because of {code}", remedy=f"mend {code}"), recovery)


def judged(*outcomes: Outcome) -> Whole | Delayed | Lost:
    return judge(TransferReport(outcomes, 2.5))


def test_a_bundle_is_whole_when_nothing_failed() -> None:
    assert judged(Copied(ITEM, 1), Copied(ITEM, 0)) == Whole(2.5)


def test_waiting_comes_before_giving_up() -> None:
    verdict = judged(failed("source_missing", Recovery.PERSON), failed("io_error", Recovery.RETRY))
    assert isinstance(verdict, Delayed)
    assert verdict.problem.code == "io_error"


def test_every_lost_package_counts_and_a_few_are_named() -> None:
    verdict = judged(Copied(ITEM, 1), *[failed("source_missing", Recovery.PERSON)] * 5)
    assert isinstance(verdict, Lost)
    assert verdict.problem.reason.startswith("5 of 6 packages were not moved: because of source_missing;")
    assert verdict.problem.reason.endswith("; and 2 more")
    assert verdict.problem.remedy == "mend source_missing"


def test_all_three_events_of_a_trip_name_one_transfer(tmp_path: Path) -> None:
    buffer = tmp_path / "chile-buffer"
    buffer.mkdir()
    bundle = bundle_of(WORLD, seal(buffer, "chile"))
    trip = Trip(bundle, "chile", Hop("cologne", "cologne-buffer"), EngineName.LOCAL)
    problem = Problem(code="x", reason="y", remedy="z")
    assert {
        trip.started().transfer_id,
        trip.completed(1.0).transfer_id,
        gone(trip.bundle, trip.hop, problem).transfer_id,
    } == {trip.id}
    assert trip.started().origin_location == "chile-buffer"


@pytest.mark.parametrize(
    ("attempt", "standing", "existing"),
    [
        (1, None, Existing.KEEP),
        (1, "damaged", Existing.KEEP),
        (2, None, Existing.REPLACE),
        (2, "damaged", Existing.REPLACE),
        (2, "whole", Existing.KEEP),
    ],
)
def test_a_repair_replaces_all_but_the_right_bytes(
    tmp_path: Path, attempt: int, standing: str | None, existing: Existing
) -> None:
    origin, destination = tmp_path / "chile-buffer", tmp_path / "cologne-buffer"
    origin.mkdir()
    destination.mkdir()
    one = seal(origin, "chile").model_copy(update={"attempt": attempt})
    target = destination / one.path
    if standing:
        target.parent.mkdir(parents=True)
        target.write_bytes((origin / one.path).read_bytes() if standing == "whole" else b"damaged")
    [item] = load([one], lambda name: tmp_path / name, destination)
    assert item.existing is existing
    assert (item.source, item.destination) == (origin / one.path, target)


def test_either_end_that_is_away_is_waited_for(tmp_path: Path) -> None:
    origin, destination = tmp_path / "chile-buffer", tmp_path / "cologne-buffer"
    origin.mkdir()
    one = seal(origin, "chile")
    with pytest.raises(Retriable, match="cologne-buffer"):
        load([one], lambda name: tmp_path / name, destination)
    destination.mkdir()
    (origin / "packages").rename(tmp_path / "away")
    with pytest.raises(Retriable, match="chile-buffer"):
        load([one], lambda name: tmp_path / name, destination)


@pytest.mark.parametrize("path", ["../x.tar", "/etc/passwd", "packages/../../x.tar"])
def test_no_path_leads_out(tmp_path: Path, path: str) -> None:
    origin, destination = tmp_path / "chile-buffer", tmp_path / "cologne-buffer"
    origin.mkdir()
    destination.mkdir()
    one = seal(origin, "chile").model_copy(update={"path": path})
    with pytest.raises(UserError):
        load([one], lambda name: tmp_path / name, destination)
