"""Whatever is told of assets, runs, tasks and cameras, in any order and however often, the rows come out the same."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.base import Event
from contracts.envelope import Envelope
from contracts.skynet.assets import AssetEvent
from contracts.skynet.runs import AssetRun, RunEvent
from contracts.skynet.states import OPEN_RUNS
from contracts.skynet.tasks import TaskAssigned, TaskEvent
from libs.opsdb.projection.coalescing import coalesce
from libs.opsdb.projection.folding import fold
from libs.opsdb.projection.folds.skynet import text_array
from tests.support.histories import skynet

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)
Told = tuple[Envelope, Event]
Rows = dict[tuple[str, tuple[object, ...]], Mapping[str, object]]


def told(seed: int) -> list[Told]:
    """The events of a night, as its two sites tell them."""
    chance = Random(seed)  # noqa: S311 - plausible, not secret
    found = []
    for n, (site, event) in enumerate(skynet.night(BEGIN, chance)):
        said = BEGIN + timedelta(seconds=n + chance.randrange(-3, 3))
        found.append((Envelope.of(event, site=site, service="history", time=said), event))
    return found


def rows_of(events: Iterable[Told]) -> Rows:
    """What is written for these events, if they are folded as one batch."""
    coalesced = coalesce(change for envelope, event in events for change in fold(envelope, event))
    return {
        (table.name, key): row.values
        for table, waves in coalesced.items()
        for wave in waves.waves
        for key, row in wave.rows.items()
    }


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000), chance=st.randoms(use_true_random=False))
def test_any_order_and_repetition_gives_the_same_rows(seed: int, chance: Random) -> None:
    events = told(seed)
    mixed = [*events, *chance.choices(events, k=8)]
    chance.shuffle(mixed)
    assert rows_of(mixed) == rows_of(events)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000))
def test_the_rows_are_what_the_decisions_made(seed: int) -> None:
    assets: dict[UUID, AssetEvent] = {}
    found: dict[UUID, tuple[UUID, AssetRun]] = {}
    given_to: list[TaskAssigned] = []
    tasks: dict[UUID, TaskEvent] = {}
    events = told(seed)
    for _, event in events:
        if isinstance(event, AssetEvent):
            assets[event.asset.uid] = event
        if isinstance(event, RunEvent):
            found[event.run.uid] = (event.asset.uid, event.run)
        if isinstance(event, TaskEvent):
            tasks[event.task.uid] = event
        if isinstance(event, TaskAssigned):
            given_to.append(event)
    rows = rows_of(events)
    for uid, last in assets.items():
        expected = dict(last.asset) | {"processing_flags": text_array(last.asset.processing_flags or ())}
        row = {**dict.fromkeys(expected), **rows["observation_asset", (uid,)], "uid": uid}
        assert {name: row[name] for name in expected} == expected
    for uid, (asset, run) in found.items():
        row = {**rows[f"observation_asset_{run.kind}_run", (uid,)]}
        assert (row["asset_uid"], row["state"], row["run_number"]) == (asset, run.state, run.number)
    for uid, known in tasks.items():
        row = {"uid": uid, **rows["optical_imaging_task", (uid,)]}
        assert {name: row[name] for name, _ in known.task} == dict(known.task)
    history = [key for table, key in rows if table == "observation_task_assignment_history"]
    assert sorted(history) == sorted((one.task.uid, one.assignment.number) for one in given_to)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_what_is_told_keeps_the_rules(seed: int) -> None:
    tasks: dict[UUID, TaskEvent] = {}
    assets: dict[UUID, AssetEvent] = {}
    numbers: dict[tuple[UUID, str], int] = {}
    runs: dict[UUID, AssetRun] = {}
    for _, event in told(seed):
        if isinstance(event, TaskEvent):
            if (task := tasks.get(event.task.uid)) is not None:
                check_task(task, event)
            tasks[event.task.uid] = event
        if isinstance(event, RunEvent):
            before = runs.get(event.run.uid)
            assert before is None or before.state in OPEN_RUNS
            runs[event.run.uid] = event.run
        if isinstance(event, AssetEvent):
            if (asset := assets.get(event.asset.uid)) is not None:
                check_asset(asset, event)
            assets[event.asset.uid] = event
            for kind in ("render", "processing", "analysis"):
                pointer = getattr(event.asset, f"current_{kind}_run_id")
                if pointer is not None:
                    key = (event.asset.uid, kind)
                    assert runs[pointer].number >= numbers.get(key, 0)
                    numbers[key] = runs[pointer].number


def check_task(before: TaskEvent, after: TaskEvent) -> None:
    assert after.turn == before.turn + 1
    assert after.task.modified_on > before.task.modified_on
    assert after.task.progress >= before.task.progress
    assert after.task.accumulated_exposure_time >= before.task.accumulated_exposure_time
    risen = after.task.assets_revision - before.task.assets_revision
    assert risen == (1 if after.fact == "assets_changed" else 0)


def check_asset(before: AssetEvent, after: AssetEvent) -> None:
    assert after.turn == before.turn + 1
    same_attempt = before.care.transfer_attempts == after.care.transfer_attempts and after.fact != "requested"
    was, now = before.asset.transfer_progress, after.asset.transfer_progress
    if same_attempt and was is not None:
        assert now is not None
        assert now >= was
    if isinstance(after, RunEvent) and before.asset.render_dirty_at is None:
        assert after.asset.render_dirty_at is None
    pictures = (after.asset.thumbnail_file_id, after.asset.preview_file_id, after.asset.current_render_run_id)
    old = (before.asset.thumbnail_file_id, before.asset.preview_file_id, before.asset.current_render_run_id)
    assert pictures == old or (
        isinstance(after, RunEvent)
        and pictures == (after.run.thumbnail_file_id, after.run.preview_file_id, after.run.uid)
    )
