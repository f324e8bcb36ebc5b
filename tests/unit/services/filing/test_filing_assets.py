"""What may be filed as an asset or a camera, and that what was stored of it before is not said again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from contracts.base import Event
from contracts.skynet.assets import AssetEvent, AssetRegistered, AssetTransferRequested
from contracts.skynet.cameras import CameraRegistered
from contracts.skynet.fields import changed
from contracts.skynet.requests import DeclaredAsset, EntityAccepted, FileAsset, FileCamera
from contracts.skynet.states import TransferState
from contracts.skynet.tasks import TaskAssetsChanged, TaskEvent
from libs.skynet import tasks, transfers
from libs.skynet.rendering import Debounce
from libs.skynet.transfers import Lease
from services.filing.assets import decide_asset
from services.filing.cameras import decide_camera
from services.filing.decisions import Accept, Decision, Refuse
from services.filing.network_world import AssetWorld, CameraWorld, Declared, Known
from tests.support.histories import skynet

SITE = "chile"
NOW = datetime(2026, 9, 1, 22, tzinfo=UTC)
TASK = changed(skynet.task(1, NOW), {"observation_id": 1001})
FILE = Declared(skynet.SIZE, skynet.SHA256)
TASKS: Known[TaskEvent] = Known(tasks.file(TASK), SITE)
REQUESTED: list[type[Event]] = [AssetTransferRequested]
WORLD = AssetWorld(SITE, task=TASKS, file=FILE)


def request(*, remote: bool = True, task: UUID | None = TASK.uid, **changes: Any) -> FileAsset:
    asset = skynet.asset(1, remote=remote)
    told = {name: value for name, value in asset if name in DeclaredAsset.model_fields}
    return FileAsset(asset=DeclaredAsset(**{**told, **changes}), task_uid=task)


def decide(asked: FileAsset, world: AssetWorld = WORLD) -> Decision:
    return decide_asset(asked, world, Debounce(), NOW)


def codes(decision: Decision) -> set[str]:
    assert isinstance(decision, Refuse), decision
    assert all(problem.reason and problem.remedy for problem in decision.problems)
    return {problem.code for problem in decision.problems}


def events(decision: Decision) -> list[Event]:
    assert isinstance(decision, Accept), decision
    assert isinstance(decision.answer, EntityAccepted)
    assert decision.answer.repeated == (not decision.events)
    return list(decision.events)


def kinds(decision: Decision) -> list[type[Event]]:
    return [type(event) for event in events(decision)]


def registered(asked: FileAsset) -> AssetRegistered:
    first = events(decide(asked))[0]
    assert isinstance(first, AssetRegistered)
    return first


def test_bytes_at_the_node_wait_and_their_transfer_is_requested() -> None:
    made, wanted, noted = events(decide(request()))
    assert isinstance(made, AssetRegistered)
    assert isinstance(wanted, AssetTransferRequested)
    assert isinstance(noted, TaskAssetsChanged)
    assert (made.asset.transfer_state, made.asset.is_remote) == (TransferState.PENDING, True)
    assert (made.task_uid, made.asset.render_dirty_at) == (TASK.uid, None)
    assert (wanted.turn, wanted.asset) == (2, made.asset)
    assert noted.task.assets_revision == 1


def test_an_asset_that_is_made_here_is_complete_and_marked() -> None:
    [made] = events(decide(request(remote=False, task=None), AssetWorld(SITE)))
    assert isinstance(made, AssetRegistered)
    assert (made.asset.transfer_state, made.asset.is_remote) == (TransferState.COMPLETED, False)
    assert made.asset.render_dirty_at == NOW


def test_what_must_not_be_fetched_is_not_requested() -> None:
    kept = request(is_transferrable=False)
    assert kinds(decide(kept, replace(WORLD, file=None))) == [AssetRegistered, TaskAssetsChanged]


def test_a_filing_that_was_cut_short_is_completed() -> None:
    asked = request()
    made, wanted, _ = events(decide(asked))
    assert isinstance(made, AssetEvent)
    assert isinstance(wanted, AssetEvent)
    after = replace(WORLD, known=Known(made, SITE), made_by=TASK.uid, file=None)
    assert kinds(decide(asked, after)) == [*REQUESTED, TaskAssetsChanged]
    after = replace(after, known=Known(wanted, SITE), requested=True)
    assert kinds(decide(asked, after)) == [TaskAssetsChanged]
    after = replace(after, noted=True)
    assert kinds(decide(asked, after)) == []


def test_a_repeat_leaves_a_transfer_that_is_under_way_alone() -> None:
    asked = request()
    active = transfers.start(registered(asked), Lease("the mover", NOW + timedelta(minutes=9)), 1, NOW)
    failed = transfers.fail(active, "the mover", "the link is down")
    for known in (active, failed, transfers.cancel(active)):
        world = replace(WORLD, known=Known(known, SITE), made_by=TASK.uid, noted=True)
        assert events(decide(asked, world)) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"role": "FLAT"}, "role"), ({"remote_file_path": "/x"}, "remote_file_path"), ({"id": 9}, "another id")],
)
def test_an_asset_that_differs_is_refused(changes: dict[str, Any], said: str) -> None:
    world = replace(WORLD, known=Known(registered(request()), SITE), made_by=TASK.uid)
    decision = decide(request(**changes), world)
    assert codes(decision) == {"asset_differs"}
    assert isinstance(decision, Refuse)
    assert said in decision.problems[0].reason


def test_another_task_or_site_is_refused() -> None:
    known: Known[AssetEvent] = Known(registered(request()), SITE)
    assert codes(decide(request(task=None), replace(WORLD, known=known, made_by=TASK.uid))) == {
        "asset_differs"
    }
    assert codes(decide(request(), replace(WORLD, known=Known(known.last, "cologne")))) == {"asset_elsewhere"}


def test_lineage() -> None:
    child = request(root_observation_asset_id=7)
    raw = skynet.asset(7)
    assert kinds(decide(child, replace(WORLD, root=raw)))[0] is AssetRegistered
    assert codes(decide(child)) == {"root_unknown"}
    derived = changed(raw, {"root_observation_asset_id": 1})
    assert codes(decide(child, replace(WORLD, root=derived))) == {"root_not_raw"}
    strange = changed(raw, {"observation_id": 2})
    assert codes(decide(child, replace(WORLD, root=strange))) == {"root_elsewhere"}
    with pytest.raises(ValidationError, match="no root of itself"):
        request(root_observation_asset_id=1)


def test_all_problems_are_told_together() -> None:
    bad = request(root_observation_asset_id=7, remote_file_path="frames/../../etc/passwd")
    world = AssetWorld(SITE, number_of=uuid4())
    assert codes(decide(bad, world)) == {
        "number_taken",
        "root_unknown",
        "task_unknown",
        "path_outside",
        "file_unknown",
    }
    elsewhere = replace(world, task=Known(TASKS.last, "cologne"), file=Declared(5, None))
    assert codes(decide(bad, elsewhere)) >= {"task_elsewhere", "file_undeclared"}
    other: Known[TaskEvent] = Known(tasks.file(skynet.task(2, NOW)), SITE)
    assert codes(decide(request(), replace(WORLD, task=other))) == {"task_of_another_observation"}


def test_a_camera_has_a_revision_for_each_news() -> None:
    first, second = (skynet.camera(1, NOW, revision).camera for revision in (1, 2))
    [event] = events(decide_camera(FileCamera(camera=first, at=NOW), CameraWorld()))
    assert isinstance(event, CameraRegistered)
    assert event.revision == 1
    again = decide_camera(FileCamera(camera=first, at=NOW + timedelta(1)), CameraWorld(event))
    assert events(again) == []
    [event] = events(decide_camera(FileCamera(camera=second, at=NOW), CameraWorld(event)))
    assert isinstance(event, CameraRegistered)
    assert (event.revision, event.camera) == (2, second)
    late = decide_camera(FileCamera(camera=first, at=NOW), CameraWorld(event, said_before=True))
    assert events(late) == []
    other = decide_camera(FileCamera(camera=first, at=NOW), CameraWorld(number_of=uuid4()))
    assert codes(other) == {"number_taken"}
