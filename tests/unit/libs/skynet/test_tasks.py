"""Tasks: what moves, what never falls, what is refused."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from contracts.skynet.fields import changed
from contracts.skynet.states import IllegalStep, TaskStatus
from contracts.skynet.tasks import TaskStarted
from libs.skynet import tasks
from libs.skynet.tasks import AFFECTING, AssetChange, Exposed
from tests.support.histories.skynet import assignment, task

NOW = datetime(2026, 9, 1, tzinfo=UTC)


def started() -> TaskStarted:
    assigned = tasks.assign(tasks.file(task(1, NOW)), assignment(1, NOW))
    return tasks.start(assigned, NOW)


def test_every_writing_moves_modified_on_even_if_the_clock_does_not() -> None:
    known = started()
    later = tasks.progress(known, Exposed(60.0, 1, 0.1), NOW - timedelta(days=1))
    assert later is not None
    assert later.task.modified_on > known.task.modified_on


def test_progress_never_falls_and_no_news_is_no_event() -> None:
    known = tasks.progress(started(), Exposed(300.0, 5, 0.5), NOW)
    assert known is not None
    assert tasks.progress(known, Exposed(240.0, 4, 0.4), NOW) is None
    resumed = tasks.resume(tasks.interrupt(known, "clouds", NOW), NOW)
    assert (resumed.task.status, resumed.task.progress) == (TaskStatus.ACTIVE, 0.5)
    with pytest.raises(ValidationError):
        tasks.progress(known, Exposed(300.0, 5, 1.1), NOW)


def test_a_task_that_is_completed_says_when() -> None:
    done = tasks.complete(started(), Exposed(600.0, 10, 0.99), NOW).task
    assert (done.progress, done.completed_on, done.actual_end_time) == (1.0, NOW, NOW)
    with pytest.raises(ValidationError, match="completed_on"):
        changed(done, {"completed_on": None})


def test_only_what_affects_data_products_makes_a_new_revision() -> None:
    for change in AssetChange:
        noted = tasks.note_assets(started(), change, NOW)
        assert (noted is not None) == (change in AFFECTING)
        assert noted is None or noted.task.assets_revision == 1
    assert AssetChange.RENDERED not in AFFECTING


def test_a_pending_task_is_not_attempted_after_its_time() -> None:
    pending = tasks.assign(tasks.file(task(1, NOW)), assignment(1, NOW))
    late = NOW + timedelta(hours=8)
    assert tasks.expire(pending, late - timedelta(seconds=1)) is None
    with pytest.raises(IllegalStep, match="was up"):
        tasks.start(pending, late)
    expired = tasks.expire(pending, late)
    assert expired is not None
    assert expired.task.status is TaskStatus.NOT_ATTEMPTED
    assert tasks.expire(started(), late) is None


def test_assignments_are_counted() -> None:
    filed = tasks.file(task(1, NOW))
    first = tasks.assign(filed, assignment(1, NOW, camera_id=1))
    second = tasks.assign(first, assignment(2, NOW, camera_id=3))
    assert (second.assignments, second.task.camera_id) == (2, 3)
    with pytest.raises(IllegalStep, match="number 3, not 2"):
        tasks.assign(second, assignment(2, NOW))
    with pytest.raises(ValidationError, match="a new task is unassigned"):
        tasks.file(second.task)
