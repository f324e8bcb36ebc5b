"""What ops-db has not applied yet, and what it has, are together what was said."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from contracts.skynet.tasks import TaskAssigned, TaskEvent, TaskFiled
from libs.skynet import tasks
from libs.skynet.tasks import AssetChange
from services.filing.logtail import Found
from services.filing.network_view import NEEDS
from services.filing.recent import Recent, latest, turn_of
from tests.support.histories import skynet

NOW = datetime(2026, 9, 1, tzinfo=UTC)


def history(number: int, length: int) -> list[TaskEvent]:
    events: list[TaskEvent] = [tasks.file(skynet.task(number, NOW))]
    for step in range(length):
        noted = tasks.note_assets(events[-1], AssetChange.ADDED, NOW + timedelta(seconds=step))
        assert noted is not None
        events.append(noted)
    return events


@given(st.lists(st.integers(1, 3), max_size=20), st.integers(0, 25), st.integers(0, 25))
def test_it_goes_on_where_the_opsdb_is(whose: list[int], first: int, second: int) -> None:
    lives = {number: iter(history(number, len(whose))) for number in (1, 2, 3)}
    log = [(sequence, next(lives[number])) for sequence, number in enumerate(whose, start=1)]
    recent = Recent(TaskEvent)
    for sequence, event in log:
        recent.take(Found(sequence, event, uuid4(), str(event.event_id("chile"))))
    position = max(first, second)
    recent.prune(min(first, second))
    recent.prune(position)
    assert recent.held == sum(sequence > position for sequence, _ in log)
    for uid in {event.task.uid for _, event in log}:
        said = [event for _, event in log if event.task.uid == uid]
        applied = [event for sequence, event in log if event.task.uid == uid and sequence <= position]
        assert latest(latest(None, applied), recent.of(uid)) == said[-1]
        for event in said:
            assert recent.caused(uid, event.event_id("chile")) == (event not in applied)


def test_a_cause_is_of_a_kind_and_a_thing() -> None:
    filed, noted = history(1, 1)
    recent, request = Recent(TaskEvent), UUID(int=7)
    recent.take(Found(4, filed, uuid4(), str(request)))
    recent.take(Found(5, noted, uuid4()))
    recent.take(Found(6, skynet.camera(1, NOW), uuid4(), str(request)))
    recent.take(Found(7, None, uuid4(), str(request)))
    assert recent.held == 2
    assert recent.caused(filed.task.uid, request)
    assert recent.caused(filed.task.uid, request, TaskFiled)
    assert not recent.caused(filed.task.uid, request, TaskAssigned)
    assert not recent.caused(filed.task.uid, UUID(int=8))
    assert not recent.caused(uuid4(), request)
    assert [turn_of(event) for event in recent.numbered(1).values()] == [2]
    assert recent.numbered(2) == {}


def test_an_asset_is_told_by_more_than_its_own_events() -> None:
    assert set(NEEDS["observation_asset"]) == {"observation_asset", "asset_transfer", "asset_run", "task"}
