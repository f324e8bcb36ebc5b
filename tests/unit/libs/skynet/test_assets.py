"""Transfers, pictures, runs and lineage of an asset: what each rule allows, and what it refuses."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from contracts.skynet.assets import AssetEvent, AssetRegistered
from contracts.skynet.fields import changed
from contracts.skynet.runs import RunCompleted, RunStarted
from contracts.skynet.states import IllegalStep, RunKind, TransferState
from libs.errors import UserError
from libs.skynet import lineage, rendering, runs, transfers
from libs.skynet.rendering import Debounce
from libs.skynet.transfers import Lease, Proof
from tests.support.histories.skynet import SHA256, SIZE, asset, made

NOW = datetime(2026, 9, 1, tzinfo=UTC)
DEBOUNCE = Debounce(
    quiet=timedelta(seconds=30),
    longest=timedelta(minutes=2),
    backoff=timedelta(minutes=1),
    longest_backoff=timedelta(minutes=5),
    failures=3,
)
LEASE = Lease("the mover", NOW + timedelta(minutes=10))
PROOF = Proof(SIZE, SHA256, SIZE, SHA256)


def after(**times: float) -> datetime:
    return NOW + timedelta(**times)


def registered(*, remote: bool) -> AssetRegistered:
    return transfers.register(asset(1, remote=remote), DEBOUNCE, NOW)


def rendering_run(known: AssetEvent, at: datetime) -> RunStarted:
    queued = runs.queue(known, RunKind.RENDER, "1", at, None)
    return runs.start(queued, queued.run, at)


def test_an_asset_that_is_made_here_begins_completed_and_marked() -> None:
    here = registered(remote=False).asset
    assert (here.transfer_state, here.is_remote) == (TransferState.COMPLETED, False)
    assert (here.render_dirty_at, here.next_eligible_render_at) == (NOW, after(seconds=30))


def test_a_remote_asset_is_marked_when_its_bytes_are_here_and_proven() -> None:
    begun = transfers.start(registered(remote=True), LEASE, SIZE, NOW)
    assert (begun.asset.last_transfer_attempt, begun.asset.transfer_progress) == (NOW, 0.0)
    half = transfers.progress(begun, LEASE, SIZE // 2, SIZE, NOW)
    less = transfers.progress(half, LEASE, SIZE // 4, SIZE, NOW)
    assert less.asset.transfer_progress == half.asset.transfer_progress == 0.5
    done = transfers.complete(less, "the mover", PROOF, after(minutes=1), DEBOUNCE).asset
    assert (done.is_remote, done.transfer_state, done.transfer_progress) == (False, "completed", 1.0)
    assert done.render_dirty_at == after(minutes=1)


@pytest.mark.parametrize(
    "proof",
    [
        replace(PROOF, found_size=SIZE - 1),
        replace(PROOF, found_sha256="0" * 64),
        replace(PROOF, size=None),
        replace(PROOF, sha256=None),
    ],
)
def test_bytes_that_are_not_proven_complete_nothing(proof: Proof) -> None:
    begun = transfers.start(registered(remote=True), LEASE, SIZE, NOW)
    with pytest.raises(IllegalStep, match="not as declared"):
        transfers.complete(begun, "the mover", proof, NOW, DEBOUNCE)


def test_progress_is_unknown_while_the_size_is() -> None:
    begun = transfers.start(registered(remote=True), LEASE, None, NOW)
    assert begun.asset.transfer_progress is None
    assert transfers.progress(begun, LEASE, 5, None, NOW).asset.transfer_progress is None


def test_one_transferrer_at_a_time_and_none_after_its_lease() -> None:
    begun = transfers.start(registered(remote=True), LEASE, SIZE, NOW)
    other = Lease("another mover", after(minutes=20))
    with pytest.raises(IllegalStep, match="active cannot be started"):
        transfers.start(begun, other, SIZE, NOW)
    with pytest.raises(IllegalStep, match="has the transfer"):
        transfers.complete(begun, "another mover", PROOF, NOW, DEBOUNCE)
    with pytest.raises(IllegalStep, match="expired"):
        transfers.complete(begun, "the mover", PROOF, LEASE.until, DEBOUNCE)
    assert transfers.expire(begun, LEASE.until - timedelta(seconds=1)) is None
    expired = transfers.expire(begun, LEASE.until)
    assert expired is not None
    assert (expired.asset.transfer_state, expired.care.transferrer) == ("failed", None)
    assert "the mover" in (expired.asset.transfer_error or "")
    again = transfers.start(transfers.request(expired), other, SIZE, after(minutes=11))
    assert (again.asset.transfer_error, again.care.transfer_attempts) == (None, 2)


def test_what_is_not_transferrable_is_never_fetched() -> None:
    fixed = changed(asset(1), {"is_transferrable": False})
    assert transfers.is_wanted(asset(1))
    assert not transfers.is_wanted(fixed)
    with pytest.raises(IllegalStep, match="not transferrable"):
        transfers.start(transfers.register(fixed, DEBOUNCE, NOW), LEASE, SIZE, NOW)


def test_changes_are_gathered_for_a_quiet_time_and_no_longer_than_the_longest() -> None:
    known: AssetEvent = registered(remote=False)
    for seconds in range(10, 200, 10):
        known = rendering.mark(known, after(seconds=seconds), DEBOUNCE)
        eligible = min(after(seconds=seconds + 30), after(minutes=2))
        assert known.asset.render_dirty_at == after(seconds=seconds)
        assert known.asset.next_eligible_render_at == eligible
    assert not rendering.eligible(known, after(seconds=119), DEBOUNCE)
    assert rendering.eligible(known, after(minutes=2), DEBOUNCE)


def test_a_success_swaps_the_pictures_and_clears_the_mark_that_it_answers() -> None:
    running = rendering_run(registered(remote=False), after(minutes=1))
    done = runs.complete(running, running.run, made(running.run), after(minutes=2), None)
    shown = done.asset
    assert (shown.thumbnail_file_id, shown.preview_file_id, shown.current_render_run_id) == (
        done.run.thumbnail_file_id,
        done.run.preview_file_id,
        done.run.uid,
    )
    assert (shown.render_dirty_at, shown.next_eligible_render_at) == (None, None)


@pytest.mark.parametrize("clock", [after(seconds=70), NOW])
def test_a_mark_that_changed_meanwhile_stays_even_if_the_clock_was_set_back(clock: datetime) -> None:
    running = rendering_run(registered(remote=False), after(minutes=1))
    marked = rendering.mark(running, clock, DEBOUNCE)
    done = runs.complete(marked, running.run, made(running.run), after(minutes=2), None)
    assert done.asset.current_render_run_id == running.run.uid
    assert done.asset.render_dirty_at == marked.asset.render_dirty_at != NOW


def test_a_failure_keeps_the_pictures_is_waited_out_and_given_up() -> None:
    running = rendering_run(registered(remote=False), after(minutes=1))
    known: AssetEvent = runs.complete(running, running.run, made(running.run), after(minutes=2), None)
    pictures = known.asset.thumbnail_file_id
    known = rendering.mark(known, after(minutes=3), DEBOUNCE)
    waits = []
    for n in range(3):
        at = after(hours=1 + n)
        assert rendering.eligible(known, at, DEBOUNCE)
        begun = rendering_run(known, at)
        known = runs.fail(begun, begun.run, "no memory", at, DEBOUNCE)
        assert known.asset.next_eligible_render_at is not None
        waits.append(known.asset.next_eligible_render_at - at)
        known = rendering.mark(known, at, DEBOUNCE) if n == 0 else known
        assert not rendering.eligible(known, at + timedelta(seconds=59), DEBOUNCE)
    assert waits == [timedelta(minutes=m) for m in (1, 2, 4)]
    assert known.asset.thumbnail_file_id == pictures
    assert not rendering.eligible(known, after(days=1), DEBOUNCE)
    assert rendering.eligible(rendering.mark(known, after(days=1), DEBOUNCE), after(days=2), DEBOUNCE)


def test_one_render_run_at_a_time() -> None:
    running = rendering_run(registered(remote=False), NOW)
    with pytest.raises(IllegalStep, match="has not ended"):
        runs.queue(running, RunKind.RENDER, "1", NOW, running.run)


def test_an_older_run_that_finishes_late_is_history_and_no_more() -> None:
    first = runs.queue(registered(remote=False), RunKind.PROCESSING, "1", NOW, None)
    begun = runs.start(first, first.run, NOW)
    second = runs.queue(begun, RunKind.PROCESSING, "2", NOW, begun.run)
    newer = runs.start(second, second.run, NOW)
    done = runs.complete(newer, newer.run, made(newer.run), NOW, None)
    late: RunCompleted = runs.complete(done, begun.run, made(begun.run), NOW, done.run)
    assert late.run.state == "completed"
    assert late.asset.current_processing_run_id == done.run.uid
    assert late.asset.current_processing_output_id == done.run.output_id


def test_a_lost_worker_gives_its_run_to_another_one() -> None:
    running = rendering_run(registered(remote=False), NOW)
    back = runs.give_back(running, running.run, "gone")
    again = runs.start(back, back.run, after(minutes=1))
    assert (back.run.state, again.run.iterations, again.run.errors) == ("ready", 2, ("gone",))


def test_a_root_is_raw_known_and_of_the_same_observation() -> None:
    raw, made_of_it = asset(1), asset(2, root=1)
    lineage.check_root(raw, None)
    lineage.check_root(made_of_it, raw)
    assert lineage.root_for(raw) == lineage.root_for(made_of_it) == 1
    for root, code in (
        (None, "root_unknown"),
        (changed(raw, {"root_observation_asset_id": 9}), "root_not_raw"),
        (changed(raw, {"observation_id": 4}), "root_elsewhere"),
    ):
        with pytest.raises(UserError) as refused:
            lineage.check_root(made_of_it, root)
        assert refused.value.problem.code == code
    with pytest.raises(ValidationError, match="no root of itself"):
        asset(3, root=3)


@pytest.mark.parametrize(
    "update",
    [
        {"is_remote": False},
        {"transfer_state": "completed"},
        {"transfer_error": "the link is down"},
        {"transfer_progress": 1.5},
        {"transfer_progress": float("nan")},
        {"remote_file_path": "x" * 251},
        {"remote_file_path": None},
        {"render_dirty_at": NOW},
    ],
)
def test_fields_that_do_not_go_together_are_refused(update: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        changed(asset(1), update)


def test_the_bytes_of_a_new_asset_are_requested_if_they_may_be_fetched() -> None:
    remote = registered(remote=True)
    wanted = transfers.first_request(remote)
    assert wanted is not None
    assert (wanted.turn, wanted.asset) == (2, remote.asset)
    begun = transfers.start(wanted, LEASE, SIZE, NOW)
    kept = remote.model_copy(update={"asset": changed(remote.asset, {"is_transferrable": False})})
    for known in (registered(remote=False), kept, begun):
        assert transfers.first_request(known) is None
