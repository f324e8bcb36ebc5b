"""Fetching the bytes of assets: what is said when, where bytes go, and what stops them; with real files."""

import errno
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from contracts.envelope import Envelope
from contracts.skynet.assets import AssetEvent, AssetTransferCompleted, AssetTransferFailed
from contracts.skynet.fields import changed
from contracts.states import LocationType
from libs.breakers.resources import Resource
from libs.breakers.shared import Use
from libs.bus.delivery import Delivery
from libs.bus.leases import LeaseLost
from libs.errors import Permanent, Postponed, Retriable, UserError
from libs.service.service import Place
from libs.sites.credentials import Credentials
from libs.sites.models import Deployment, DiskLocation, RouteSettings
from libs.skynet import transfers
from libs.skynet.knowing import KnownAsset, KnownFile
from libs.skynet.rendering import Debounce
from libs.skynet.transfers import Lease, Proof
from services.mover.fetching.deciding import LEASE, Asking, Ending, Failing, Going, Retry, Taking, is_held
from services.mover.fetching.handlers import LEASES, FetchHandlers, lease_name
from services.mover.fetching.planning import plan
from tests.support.deployments import deployment
from tests.support.histories.skynet import asset
from tests.support.told import ToldAssets

NOW = datetime(2026, 9, 1, tzinfo=UTC)
BYTES = b"frame" * 1000
SHA256 = hashlib.sha256(BYTES).hexdigest()
ME, OTHER = "mover.here-1", "mover.here-2"
RETRY = Retry(first=timedelta(seconds=10), longest=timedelta(minutes=1), attempts=3)


def now() -> datetime:
    return NOW


def world(folder: Path) -> Deployment:
    def disk(name: str, kind: LocationType) -> DiskLocation:
        return DiskLocation(type=kind, path=folder / name)

    return deployment(
        {
            "chile": {
                "node": disk("node", LocationType.SOURCE),
                "chile-buffer": disk("chile-buffer", LocationType.BUFFER),
            },
            "cologne": {"cologne-buffer": disk("cologne-buffer", LocationType.BUFFER)},
        },
        {"way": RouteSettings(origin="chile", destination="cologne")},
    )


def known(
    remote: str = "night/a.fits", *, size: int | None = len(BYTES), sha256: str | None = SHA256
) -> KnownAsset:
    made = changed(asset(1), {"remote_file_path": remote})
    file = KnownFile("node", "night/a.fits", size, sha256)
    return KnownAsset(transfers.register(made, Debounce(), NOW), file, None, None)


def begun(before: KnownAsset, me: str = ME, at: datetime = NOW) -> KnownAsset:
    told = transfers.start(before.told, Lease(me, at + LEASE), len(BYTES), at)
    return replace(before, told=told)


def after(before: KnownAsset, decide: Callable[[KnownAsset], AssetEvent | None]) -> list[str]:
    told = ToldAssets(before.told, before.file)
    while (event := decide(told.known)) is not None:
        told.say(event)
    return [event.fact for event in told.said]


# Decisions.


def test_back_off_doubles_and_ends() -> None:
    waits = [RETRY.wait_after(attempts) for attempts in (1, 2, 3, 4)]
    assert waits == [timedelta(seconds=10), timedelta(seconds=20), None, None]
    assert Retry(attempts=99).wait_after(50) == timedelta(hours=1)


def test_an_attempt_begins_once() -> None:
    assert after(known(), Taking(ME, 5, now, RETRY).next) == ["started"]
    assert after(begun(known()), Taking(ME, 5, now, RETRY).next) == []


def test_the_attempt_of_who_is_gone_is_failed_and_another_one_begins() -> None:
    assert after(begun(known(), OTHER), Taking(ME, 5, now, RETRY).next) == ["failed", "requested", "started"]
    late = begun(known(), ME, NOW - LEASE)
    assert after(late, Taking(ME, 5, now, RETRY).next) == ["failed", "requested", "started"]


def test_lost_attempts_are_counted_too() -> None:
    lost = begun(known(), OTHER)
    care = changed(lost.care, {"transfer_attempts": RETRY.attempts})
    often = replace(lost, told=lost.told.model_copy(update={"care": care}))
    assert after(often, Taking(ME, 5, now, RETRY).next) == ["failed"]


def test_what_failed_or_was_canceled_is_not_begun() -> None:
    failed = replace(known(), told=transfers.fail(begun(known()).told, ME, "x"))
    canceled = replace(known(), told=transfers.cancel(known().told))
    for one in (failed, canceled):
        assert after(one, Taking(ME, 5, now, RETRY).next) == []
        assert not is_held(one, ME)


def test_progress_is_said_in_steps_and_when_half_of_the_lease_is_over() -> None:
    told = ToldAssets(begun(known()).told, None)
    for done in range(0, len(BYTES) + 1, 50):
        event = Going(ME, done, len(BYTES), now).next(told.known)
        if event is not None:
            told.say(event)
    said = [event.asset.transfer_progress or 0 for event in told.said]
    assert said == sorted(said)
    assert 9 <= len(said) <= 10
    later = NOW + LEASE / 2
    renewed = Going(ME, 0, len(BYTES), lambda: later).next(told.known)
    assert renewed is not None
    assert renewed.care.lease_until == later + LEASE
    assert renewed.asset.transfer_progress == said[-1], "it never falls"


def test_who_is_not_the_transferrer_or_too_late_says_nothing() -> None:
    for going in (Going(OTHER, 5000, 5000, now), Going(ME, 5000, 5000, lambda: NOW + LEASE)):
        assert going.next(begun(known())) is None
    proof = Proof(5, "a", 5, "a")
    assert Ending(OTHER, proof, now, Debounce()).next(begun(known())) is None


def test_how_it_ends() -> None:
    here = begun(known())
    whole = Proof(len(BYTES), SHA256, len(BYTES), SHA256)
    done = Ending(ME, whole, now, Debounce()).next(here)
    assert isinstance(done, AssetTransferCompleted)
    for proof, code in (
        (replace(whole, found_size=1), "size_mismatch"),
        (replace(whole, found_sha256="0" * 64), "checksum_mismatch"),
    ):
        event = Ending(ME, proof, now, Debounce()).next(here)
        assert isinstance(event, AssetTransferFailed)
        assert (event.asset.transfer_error or "").startswith(code)
    late = Ending(ME, whole, lambda: NOW + LEASE, Debounce()).next(here)
    assert isinstance(late, AssetTransferFailed), "whoever is too late completes nothing"


# The way.


def test_bytes_of_this_site_go_where_its_route_leads_and_others_come_here(tmp_path: Path) -> None:
    out = plan(world(tmp_path), "chile", known())
    assert (out.source, out.destination, out.route) == (tmp_path / "node", tmp_path / "cologne-buffer", "way")
    assert (out.source_path, Path(out.destination_path).name) == ("night/a.fits", "a.fits")
    inward = plan(world(tmp_path), "cologne", known())
    assert (inward.destination, inward.route) == (tmp_path / "cologne-buffer", "way")
    assert inward.destination_path == out.destination_path


def test_an_absolute_path_counts_below_the_location(tmp_path: Path) -> None:
    way = plan(world(tmp_path), "chile", known(f"{tmp_path}/node/night/b.fits"))
    assert way.source_path == "night/b.fits"


def test_a_path_may_be_told_as_it_was_filed(tmp_path: Path) -> None:
    """Relative to the instrument's folder."""
    assert plan(world(tmp_path), "chile", known("a.fits")).source_path == "night/a.fits"
    assert plan(world(tmp_path), "chile", known("ht/a.fits")).source_path == "ht/a.fits"


@pytest.mark.parametrize(
    ("remote", "code"),
    [
        ("../chile-buffer/a.fits", "path_outside"),
        ("night/../../a.fits", "path_outside"),
        ("/etc/passwd", "path_absolute"),
        ("{root}/node/../a.fits", "path_outside"),
        ("{root}/nodes/a.fits", "path_absolute"),
        ("night//a.fits", "path_invalid"),
        ("{root}/node", "path_invalid"),
    ],
)
def test_no_path_leads_out_of_the_location(tmp_path: Path, remote: str, code: str) -> None:
    with pytest.raises(UserError) as raised:
        plan(world(tmp_path), "chile", known(remote.format(root=tmp_path)))
    assert raised.value.problem.code == code


def test_what_cannot_be_proven_is_not_fetched_and_what_is_not_filed_waits(tmp_path: Path) -> None:
    for one in (known(size=None), known(sha256=None)):
        with pytest.raises(Permanent, match="undeclared"):
            plan(world(tmp_path), "chile", one)
    with pytest.raises(Retriable, match="file_unknown"):
        plan(world(tmp_path), "chile", replace(known(), file=None))
    elsewhere = KnownFile("gone", "a", len(BYTES), SHA256)
    with pytest.raises(UserError, match="location_unknown"):
        plan(world(tmp_path), "chile", replace(known(), file=elsewhere))
    with pytest.raises(Permanent, match="no_way"):
        plan(world(tmp_path).model_copy(update={"routes": {}}), "chile", known())


# The handlers.


class Held:
    """A lease that is had at once."""

    def __init__(self, *, lost: bool = False) -> None:
        self.lost = lost

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        yield

    def check(self) -> None:
        if self.lost:
            raise LeaseLost("asset")


class Open:
    """Breakers that let everything pass, and hear what fails."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failed: list[str] = []

    @asynccontextmanager
    async def using(self, *resources: Resource) -> AsyncIterator[Use]:
        self.asked += [one.key for one in resources]
        try:
            yield Use(frozenset())
        except Retriable as error:
            self.failed += [one.key for one in resources if error.problem.code in one.faults]
            raise


def handlers(
    told: ToldAssets, folder: Path, lease: Held | None = None, breakers: Open | None = None
) -> FetchHandlers:
    for name in ("node/night", "chile-buffer", "cologne-buffer"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return FetchHandlers(
        place=Place("chile", world(folder), Credentials({}), folder / "state"),
        assets=told,
        lease_of=lambda _: cast("Any", lease or Held()),
        limits={},
        breakers=cast("Any", breakers or Open()),
        me=ME,
        now=now,
        debounce=Debounce(),
        retry=RETRY,
    )


def delivery(event: AssetEvent, at: datetime = NOW) -> Delivery:
    return Delivery(Envelope.of(event, site="chile", service="filing", time=at), "EVENTS_chile", 1, 1)


async def fetched(one: KnownAsset, folder: Path, data: bytes | None = BYTES) -> ToldAssets:
    told = ToldAssets(one.told, one.file)
    fetching = handlers(told, folder)
    if data is not None:
        (folder / "node/night/a.fits").write_bytes(data)
    event = known(one.asset.remote_file_path or "").told
    await fetching.fetch(cast("Any", event), delivery(event))
    return told


def here(folder: Path) -> list[Path]:
    return [path for path in (folder / "cologne-buffer").rglob("*") if path.is_file()]


async def test_an_asset_is_fetched_whole_and_marked_once(tmp_path: Path) -> None:
    told = await fetched(known(), tmp_path)
    assert told.facts == ["asset_transfer.started", "asset_transfer.completed"]
    done = told.known.asset
    assert (done.is_remote, done.transfer_progress, done.render_dirty_at) == (False, 1.0, NOW)
    [path] = here(tmp_path)
    assert path.read_bytes() == BYTES
    event = known().told
    await handlers(told, tmp_path).fetch(cast("Any", event), delivery(event))
    assert len(told.said) == 2, "a repeat says nothing"


@pytest.mark.parametrize("data", [BYTES[:-1], b"x" * len(BYTES), None], ids=["short", "other", "missing"])
async def test_bytes_that_are_not_as_declared_complete_nothing(tmp_path: Path, data: bytes | None) -> None:
    told = await fetched(known(), tmp_path, data)
    assert told.facts == ["asset_transfer.started", "asset_transfer.failed"]
    assert told.known.asset.is_remote
    assert told.known.asset.render_dirty_at is None
    code = (told.known.asset.transfer_error or "").split(":")[0]
    assert code in {"source_changed", "checksum_mismatch", "source_missing"}


async def test_wrong_bytes_of_an_earlier_attempt_are_replaced(tmp_path: Path) -> None:
    told = await fetched(known(), tmp_path, b"x" * len(BYTES))
    [path] = here(tmp_path)
    told.say(transfers.request(told.known.told))
    again = await fetched(told.known, tmp_path)
    assert again.facts[-1] == "asset_transfer.completed"
    assert path.read_bytes() == BYTES


async def test_what_a_lost_transferrer_left_is_completed(tmp_path: Path) -> None:
    told = await fetched(begun(known(), OTHER), tmp_path)
    assert [fact.split(".")[1] for fact in told.facts] == ["failed", "requested", "started", "completed"]
    assert told.known.care.transfer_attempts == 2


async def test_a_path_that_leads_out_is_refused_and_never_asked_for_again(tmp_path: Path) -> None:
    told = await fetched(known("../secret"), tmp_path)
    assert told.facts == ["asset_transfer.started", "asset_transfer.failed"]
    assert (told.known.asset.transfer_error or "").startswith("path_outside: ")
    assert here(tmp_path) == []
    failed = told.known.told
    long_ago = delivery(failed, NOW - timedelta(days=1))
    await handlers(told, tmp_path).retry(cast("Any", failed), long_ago)
    assert len(told.said) == 2


async def test_a_link_out_of_the_location_is_refused(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/a.fits").write_bytes(BYTES)
    (tmp_path / "node/out").symlink_to(tmp_path / "secret")
    told = await fetched(known("out/a.fits"), tmp_path)
    assert (told.known.asset.transfer_error or "").startswith("path_symlink: ")
    assert here(tmp_path) == []


async def test_a_disk_that_is_away_is_waited_for_without_an_attempt(tmp_path: Path) -> None:
    one = known()
    told = ToldAssets(one.told, one.file)
    fetching = handlers(told, tmp_path)
    (tmp_path / "node/night").rmdir()
    with pytest.raises(Retriable, match="location_missing"):
        await fetching.fetch(cast("Any", one.told), delivery(one.told))
    assert told.said == []


async def test_a_fault_of_the_way_is_told_and_counted_by_its_breaker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, breakers = known(), Open()
    told = ToldAssets(one.told, one.file)
    fetching = handlers(told, tmp_path, breakers=breakers)
    (tmp_path / "node/night/a.fits").write_bytes(BYTES)

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "the link is down")

    monkeypatch.setattr("libs.transfer.filecopy.begin", broken)
    with pytest.raises(Retriable, match="io_error"):
        await fetching.fetch(cast("Any", one.told), delivery(one.told))
    assert told.facts == ["asset_transfer.started", "asset_transfer.failed"]
    assert (breakers.asked, breakers.failed) == (["route.way", "location.cologne-buffer"], ["route.way"])
    await fetching.fetch(cast("Any", one.told), delivery(one.told))
    assert len(told.said) == 2, "the message comes again, and is answered"


async def test_a_buffer_that_cannot_be_looked_at_is_waited_for(tmp_path: Path) -> None:
    one = known()
    told = ToldAssets(one.told, one.file)
    fetching = handlers(told, tmp_path)
    (tmp_path / "cologne-buffer/assets").write_bytes(b"no folder")
    with pytest.raises(Retriable, match="io_error"):
        await fetching.fetch(cast("Any", one.told), delivery(one.told))
    assert told.said == []


async def test_what_is_canceled_meanwhile_is_left(tmp_path: Path) -> None:
    one = known()
    cancels = iter((1,))

    class Canceled(ToldAssets):
        async def glance(self, uid: Any) -> KnownAsset | None:
            for _ in cancels:
                self.say(transfers.cancel(self.known.told))
            return await super().glance(uid)

    canceled = Canceled(one.told, one.file)
    fetching = handlers(canceled, tmp_path)
    (tmp_path / "node/night/a.fits").write_bytes(BYTES)
    await fetching.fetch(cast("Any", one.told), delivery(one.told))
    assert canceled.facts == ["asset_transfer.started", "asset_transfer.canceled"]
    assert canceled.known.asset.is_remote
    assert [path for path in here(tmp_path) if not path.name.startswith(".")] == [], "it goes on no further"


async def test_who_lost_the_lease_says_nothing_more(tmp_path: Path) -> None:
    one, lease = known(), Held()
    told = ToldAssets(one.told, one.file)
    fetching = handlers(told, tmp_path, lease)
    (tmp_path / "node/night/a.fits").write_bytes(BYTES)

    def lose(_: AssetEvent) -> None:
        lease.lost = True

    told.before = lose
    with pytest.raises(LeaseLost):
        await fetching.fetch(cast("Any", one.told), delivery(one.told))
    assert told.facts == ["asset_transfer.started"]


async def test_what_failed_is_asked_for_again_when_its_time_has_come(tmp_path: Path) -> None:
    told = await fetched(known(), tmp_path, None)
    failed, fetching = told.known.told, handlers(told, tmp_path)
    with pytest.raises(Postponed) as raised:
        await fetching.retry(cast("Any", failed), delivery(failed, NOW - timedelta(seconds=4)))
    assert raised.value.delay_s == pytest.approx(6)
    with pytest.raises(Postponed) as raised:
        await fetching.retry(cast("Any", failed), delivery(failed, NOW + timedelta(days=4)))
    assert raised.value.delay_s == pytest.approx(10), "a clock that was set back holds up nothing"
    due = delivery(failed, NOW - timedelta(seconds=10))
    await fetching.retry(cast("Any", failed), due)
    await fetching.retry(cast("Any", failed), due)
    assert told.facts[2:] == ["asset_transfer.requested"]


async def test_after_so_many_attempts_nothing_is_asked_for(tmp_path: Path) -> None:
    told = await fetched(known(), tmp_path, None)
    care = changed(told.known.care, {"transfer_attempts": RETRY.attempts})
    failed = told.known.told.model_copy(update={"care": care})
    told.known = replace(told.known, told=failed)
    await handlers(told, tmp_path).retry(cast("Any", failed), delivery(failed, NOW - timedelta(days=1)))
    assert len(told.said) == 2
    assert Asking(1).next(told.known) is None, "another failure than the last one"


async def test_an_expired_lease_is_failed(tmp_path: Path) -> None:
    one = begun(known(), OTHER, NOW - LEASE)
    told = ToldAssets(one.told, one.file)
    await handlers(told, tmp_path).expire([one.asset.uid])
    await handlers(told, tmp_path).expire([one.asset.uid])
    assert told.facts == ["asset_transfer.failed"]
    fresh = ToldAssets(begun(known()).told, None)
    await handlers(fresh, tmp_path).expire([one.asset.uid])
    assert fresh.said == []


def test_leases_have_few_names() -> None:
    assert lease_name(asset(1).uid).startswith("asset.")
    assert len({lease_name(asset(number).uid) for number in range(1, 5000)}) <= LEASES


def test_failing_says_why_within_the_field() -> None:
    problem = UserError("path_invalid", "x" * 999, "no").problem
    event = Failing(ME, problem).next(begun(known()))
    assert event is not None
    assert len(event.asset.transfer_error or "") == 250
