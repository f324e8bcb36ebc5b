from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.bundles import BundleForwarded, BundleReceived
from contracts.packages import PackageRecord
from contracts.problems import Problem
from contracts.states import LocationType, RouteType
from contracts.transfers import MovedPackage, TransferCompleted
from libs.copies.examining import Damaged, Intact, Verdict, examine
from libs.errors import Retriable
from libs.service.telling import Board
from libs.sites.models import RouteSettings
from services.verifier import reading
from services.verifier.reading import Reader
from services.verifier.sayings import bundle_events
from tests.support.deployments import deployment, disk
from tests.support.sealed import seal

DAMAGED = Damaged((Problem(code="file_checksum", reason="x", remedy="y"),), None)
WORLD = deployment(
    {site: {f"{site}-buffer": disk(LocationType.BUFFER)} for site in ("chile", "miami", "cologne")},
    {"way": RouteSettings(origin="chile", destination="cologne", type=RouteType.RELAY, via=("miami",))},
)


@pytest.fixture
def transfer(tmp_path: Path) -> TransferCompleted:
    root = tmp_path / "miami-buffer"
    root.mkdir()
    moved = [
        MovedPackage(package=one.package, origin_path=one.path, path=one.path)
        for one in (seal(root, "chile", priority=9 - n) for n in range(4))
    ]
    return TransferCompleted(
        transfer_id=uuid4(),
        bundle_id=uuid4(),
        route="way",
        origin="chile",
        destination="miami",
        origin_location="chile-buffer",
        location="miami-buffer",
        size=sum(one.package.size for one in moved),
        seconds=1.0,
        packages=tuple(moved),
    )


def verdicts(transfer: TransferCompleted, damaged: int) -> dict[UUID, Verdict]:
    return {
        moved.package.package_id: DAMAGED if n < damaged else Intact()
        for n, moved in enumerate(transfer.packages)
    }


def test_the_end_of_a_route_receives(transfer: TransferCompleted) -> None:
    [received] = bundle_events(transfer, verdicts(transfer, 1), WORLD, "cologne")
    assert isinstance(received, BundleReceived)
    assert (received.verified, received.corrupted) == (3, 1)


def test_a_relay_forwards_what_is_whole(transfer: TransferCompleted) -> None:
    [forwarded] = bundle_events(transfer, verdicts(transfer, 1), WORLD, "miami")
    assert isinstance(forwarded, BundleForwarded)
    assert (forwarded.relay, forwarded.destination) == ("miami", "cologne")
    assert [one.package for one in forwarded.packages] == [moved.package for moved in transfer.packages[1:]]
    assert {one.location for one in forwarded.packages} == {"miami-buffer"}
    assert forwarded.priority == 6
    assert forwarded.size == sum(moved.package.size for moved in transfer.packages[1:])


def test_a_relay_forwards_a_repair_as_one(transfer: TransferCompleted) -> None:
    """Attempts are counted over the whole road: a second hop that damages it again does not start anew."""
    again = transfer.model_copy(
        update={"packages": tuple(one.model_copy(update={"attempt": 2}) for one in transfer.packages)}
    )
    [forwarded] = bundle_events(again, verdicts(again, 0), WORLD, "miami")
    assert isinstance(forwarded, BundleForwarded)
    assert {one.attempt for one in forwarded.packages} == {2}


def test_a_relay_forwards_nothing_if_nothing_is_whole(transfer: TransferCompleted) -> None:
    assert bundle_events(transfer, verdicts(transfer, 4), WORLD, "miami") == []


async def test_while_one_package_cannot_be_read_the_others_are_read_once(
    transfer: TransferCompleted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[UUID] = []
    told: list[UUID] = []
    bad = transfer.packages[1].package.package_id
    failing = True

    def sometimes(root: Path, path: str, package: PackageRecord, **rest: Any) -> Verdict:
        looked_at.append(package.package_id)
        if failing and package.package_id == bad:
            raise Retriable("storage_unavailable", "x", "y")
        return examine(root, path, package, **rest)

    async def tell(moved: MovedPackage, verdict: Verdict) -> Verdict:
        assert verdict == Intact()
        told.append(moved.package.package_id)
        return verdict

    monkeypatch.setattr(reading, "examine", sometimes)
    reader, board, root = Reader(), Board(), tmp_path / "miami-buffer"
    for _ in range(3):
        with pytest.raises(Retriable):
            await reader.read(transfer, root, tell, board)
    failing = False
    found = await reader.read(transfer, root, tell, board)
    assert set(found) == {moved.package.package_id for moved in transfer.packages}
    assert looked_at.count(bad) == 4
    assert len(looked_at) == 4 + 3
    assert sorted(told) == sorted(found)
    assert board.figures["done"] == transfer.size
