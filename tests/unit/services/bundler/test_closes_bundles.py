"""When a bundle is closed, and with what in it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.bundles import BundledPackage, SealReason
from contracts.packages import PackageRecord, Provenance
from libs.sites.models import RouteSettings
from services.bundler.closing import LIST_BYTES, Closed, Waiting, close
from services.bundler.routing import Way

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BUSY = 1


def route(**settings: object) -> RouteSettings:
    return RouteSettings.model_validate({"origin": "chile", "destination": "cologne", **settings})


def waiting(
    size: int = 10,
    *,
    age_s: float = 1.0,
    priority: int = 5,
    number: int | None = None,
    words: str = "",
    location: str = "buffer",
) -> Waiting:
    package = PackageRecord(
        package_id=uuid4() if number is None else UUID(int=number),
        name="p.tar",
        size=size,
        sha256="0" * 64,
        file_count=1,
        payload_bytes=size,
        priority=priority,
        provenance=Provenance(
            observatory="o",
            telescope="t",
            site="chile",
            instrument="camera",
            module="main",
            executed_obs_unit_id=UUID(int=0),
            obs_unit=words or None,
        ),
    )
    bundled = BundledPackage(package=package, location=location, path="packages/p.tar")
    return Waiting(bundled, NOW - timedelta(seconds=age_s))


def told(closed: list[Closed]) -> list[tuple[SealReason, int]]:
    return [(one.reason, len(one.packages)) for one in closed]


def test_an_idle_route_takes_a_package_at_once() -> None:
    assert told(close([waiting()], route(), now=NOW, in_flight=0)) == [(SealReason.IDLE_ROUTE, 1)]


def test_an_idle_route_may_be_told_to_wait() -> None:
    assert close([waiting()], route(send_when_idle=False), now=NOW, in_flight=0) == []


def test_a_busy_route_lets_packages_gather() -> None:
    assert close([waiting(), waiting()], route(), now=NOW, in_flight=BUSY) == []


def test_nothing_waits_nothing_goes() -> None:
    assert close([], route(), now=NOW, in_flight=0) == []


def test_a_bundle_is_closed_when_it_reaches_the_target() -> None:
    packages = [waiting(40) for _ in range(7)]
    closed = close(packages, route(target_size=100), now=NOW, in_flight=BUSY)
    assert told(closed) == [(SealReason.TARGET_SIZE, 3), (SealReason.TARGET_SIZE, 3)]


def test_a_bundle_has_no_more_packages_than_the_route_allows() -> None:
    closed = close([waiting() for _ in range(5)], route(max_packages=2), now=NOW, in_flight=BUSY)
    assert told(closed) == [(SealReason.MOST_PACKAGES, 2), (SealReason.MOST_PACKAGES, 2)]


def test_a_bundles_list_fits_into_one_message() -> None:
    packages = [waiting(words="x" * 250) for _ in range(500)]
    closed = close(packages, route(max_packages=500), now=NOW, in_flight=0)
    assert SealReason.MOST_PACKAGES in {one.reason for one in closed}
    for one in closed:
        event = one.event(Way("link", route()), "chile")
        assert len(event.model_dump_json()) < LIST_BYTES + 1000


def test_the_oldest_package_takes_all_of_its_priority_along() -> None:
    packages = [waiting(age_s=61), waiting(age_s=1), waiting(age_s=1, priority=6)]
    closed = close(packages, route(longest_wait="60s"), now=NOW, in_flight=BUSY)
    assert told(closed) == [(SealReason.LONGEST_WAIT, 2)]


def test_the_urgent_go_first_and_priorities_are_not_mixed() -> None:
    packages = [waiting(priority=5, age_s=9), waiting(priority=1), waiting(priority=1)]
    closed = close(packages, route(), now=NOW, in_flight=0)
    assert [(one.reason, one.packages[0].priority, len(one.packages)) for one in closed] == [
        (SealReason.IDLE_ROUTE, 1, 2)
    ]


def test_packages_of_two_buffers_never_share_a_bundle() -> None:
    """A transfer has one origin; a repair must find its package there."""
    gathered = [waiting(location=name, age_s=999_999) for name in ("one", "two", "one")]
    closed = close(gathered, route(), now=NOW, in_flight=BUSY)
    assert sorted(len(one.packages) for one in closed) == [1, 2]
    for one in closed:
        assert len({w.package.location for w in one.packages}) == 1


def test_a_route_that_just_got_a_bundle_is_no_longer_idle() -> None:
    closed = close([waiting(60), waiting(60), waiting(60)], route(target_size=100), now=NOW, in_flight=0)
    assert told(closed) == [(SealReason.TARGET_SIZE, 2)]


def test_first_come_first_served_within_a_priority() -> None:
    packages = [waiting(age_s=1, number=1), waiting(age_s=3, number=2), waiting(age_s=2, number=3)]
    (closed,) = close(packages, route(), now=NOW, in_flight=0)
    assert [one.package.package.package_id.int for one in closed.packages] == [2, 3, 1]


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 100), st.integers(1, 3)), max_size=25),
    st.integers(1, 120),
    st.integers(1, 6),
    st.integers(0, 1),
)
def test_no_package_is_in_two_bundles(
    kinds: list[tuple[int, int, int]], target: int, most: int, in_flight: int
) -> None:
    packages = [waiting(size, age_s=age, priority=priority) for size, age, priority in kinds]
    terms = route(target_size=target, max_packages=most, longest_wait="50s")
    closed = close(packages, terms, now=NOW, in_flight=in_flight)
    ids = [one.package.package.package_id for bundle in closed for one in bundle.packages]
    assert len(ids) == len(set(ids))
    assert all(len({one.priority for one in bundle.packages}) == 1 for bundle in closed)
    assert all(len(bundle.packages) <= most for bundle in closed)
    assert bool(closed) or in_flight or not packages


def test_the_event_says_what_travels_which_way() -> None:
    (closed,) = close([waiting(7, number=1), waiting(8, number=2)], route(), now=NOW, in_flight=0)
    event = closed.event(Way("link", route()), "chile")
    assert (event.route, event.origin, event.destination, event.size) == ("link", "chile", "cologne", 15)
    assert event.bundle_id == closed.event(Way("link", route()), "chile").bundle_id
    assert event.bundle_id != closed.event(Way("other", route()), "chile").bundle_id


@pytest.mark.parametrize("age_s", [59.9, 60.0])
def test_waiting_ends_exactly_on_time(age_s: float) -> None:
    closed = close([waiting(age_s=age_s)], route(longest_wait="60s"), now=NOW, in_flight=BUSY)
    assert bool(closed) is (age_s >= 60)
