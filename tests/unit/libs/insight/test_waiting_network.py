"""What tasks, assets and cameras of a telescope network wait for, in words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.skynet.states import TaskStatus, TransferState
from libs.insight.waiting import NOTHING, Waiting, waiting_for
from libs.skynet.cooling import Planned
from tests.support.histories import skynet

NOW = datetime(2026, 9, 1, 22, tzinfo=UTC)
TASK = dict(skynet.task(1, NOW)) | {"site": "chile", "assignments": 1}
CARE = {"transferrer": None, "lease_until": None, "first_dirty_at": None, "render_failures": 0}
ASSET = dict(skynet.asset(1)) | CARE | {"site": "chile"}
CAMERA = dict(skynet.camera(1, NOW).camera)


def task(status: TaskStatus, **changes: Any) -> Waiting:
    return waiting_for("optical_imaging_task", {**TASK, "status": status, **changes}, {})


def asset(state: TransferState, **changes: Any) -> Waiting:
    return waiting_for("observation_asset", {**ASSET, "transfer_state": state, **changes}, {})


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (TaskStatus.UNASSIGNED, "For a scheduler"),
        (TaskStatus.PENDING, "camera 1 to begin"),
        (TaskStatus.ACTIVE, "50% so far, 5 of 10 exposures"),
        (TaskStatus.INTERRUPTED, "to go on: 50%"),
        (TaskStatus.COMPLETED, NOTHING.now),
        (TaskStatus.FAILED, "it is failed"),
        (TaskStatus.NOT_ATTEMPTED, "it is not attempted"),
        (TaskStatus.CANCELED, "it is canceled"),
    ],
)
def test_a_task(status: TaskStatus, word: str) -> None:
    assert word in task(status, progress=0.5, observatory_acquired_frames=5).now


def test_a_task_that_waits_says_until_when() -> None:
    assert task(TaskStatus.PENDING).next_at == NOW + timedelta(hours=8)
    assert "begins" in task(TaskStatus.PENDING, expiration_time=None).next


@pytest.mark.parametrize(
    ("state", "changes", "word", "by"),
    [
        (TransferState.PENDING, {}, "fetched from /data/frames/1.fits", "mover"),
        (TransferState.PENDING, {"is_transferrable": False}, "stay where they are", None),
        (TransferState.ACTIVE, {"transferrer": "m-1", "transfer_progress": 0.25}, "For m-1 to fetch", "mover"),
        (TransferState.ACTIVE, {"transferrer": "m-1"}, "how much is not known", "mover"),
        (TransferState.FAILED, {"transfer_error": "the link is down"}, "the link is down", None),
        (TransferState.CANCELED, {}, "nobody wants", None),
        (TransferState.COMPLETED, {"render_dirty_at": NOW, "next_eligible_render_at": NOW}, "pictures", "renderer"),
        (TransferState.COMPLETED, {}, NOTHING.now, None),
    ],
)  # fmt: skip
def test_an_asset(state: TransferState, changes: dict[str, Any], word: str, by: str | None) -> None:
    waiting = asset(state, **changes)
    assert word in waiting.now
    assert (waiting.by, waiting.at) == (by, "chile" if by else None)


def test_a_camera_says_when_it_is_cooled_and_why() -> None:
    context = {"now": NOW, "planned": (Planned(7, NOW + timedelta(hours=1), NOW + timedelta(hours=2)),)}
    waiting = waiting_for("camera", CAMERA, context)
    assert "off: the next task, 7," in waiting.now
    assert waiting.next_at == NOW + timedelta(minutes=40)
    assert waiting_for("camera", CAMERA, {**context, "planned": ()}).next_at is None
