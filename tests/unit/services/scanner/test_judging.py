from uuid import uuid4

import pytest

from services.scanner.judging import Incomplete, Kind, Look, Now, Ready, Unquiet, judge
from services.scanner.watchlist import Sighting, Wanted

QUIET_S = 2.0
NOW = Now(monotonic=1000.0, wall_ns=10**18)


def wanted(size: int | None = None, *, again: bool = False) -> Wanted:
    return Wanted(
        uuid4(), uuid4(), "camera", "main", "disk", "camera/a", size, after=uuid4() if again else None
    )


def look(size: int = 10, age_s: float = 0.0) -> Look:
    return Look(Kind.REGULAR, size, NOW.wall_ns - int(age_s * 1e9))


def test_an_old_file_passes_at_once() -> None:
    assert isinstance(judge(wanted(), None, look(age_s=3), NOW, QUIET_S), Ready)


def test_a_fresh_file_waits_for_the_rest_of_the_quiet_time() -> None:
    finding = judge(wanted(), None, look(age_s=0.5), NOW, QUIET_S)
    assert isinstance(finding, Unquiet)
    assert finding.again_in == pytest.approx(1.5)


def test_a_time_in_the_future_is_outlived_by_watching() -> None:
    first = judge(wanted(), None, look(age_s=-9999), NOW, QUIET_S)
    assert isinstance(first, Unquiet)
    later = Now(NOW.monotonic + QUIET_S, NOW.wall_ns - 10**15)
    assert isinstance(judge(wanted(), first.seen, look(age_s=-9999), later, QUIET_S), Ready)


@pytest.mark.parametrize("size", [5, 20], ids=["shrinking", "growing"])
def test_a_file_that_was_seen_to_change_is_watched_whatever_its_time_says(size: int) -> None:
    before = Sighting(10, NOW.wall_ns, NOW.monotonic - 100)
    changed = judge(wanted(), before, look(size, age_s=3600), NOW, QUIET_S)
    assert isinstance(changed, Unquiet)
    assert isinstance(judge(wanted(), changed.seen, look(size, age_s=3600), NOW, QUIET_S), Unquiet)
    later = Now(NOW.monotonic + QUIET_S, NOW.wall_ns)
    assert isinstance(judge(wanted(), changed.seen, look(size, age_s=3600), later, QUIET_S), Ready)


def test_a_replaced_file_of_the_same_size_counts_as_changed() -> None:
    before = Sighting(10, NOW.wall_ns - 5 * 10**9, NOW.monotonic - 100)
    assert isinstance(judge(wanted(), before, look(10, age_s=4), NOW, QUIET_S), Unquiet)


def test_a_file_that_the_packager_refused_is_watched_again() -> None:
    assert isinstance(judge(wanted(again=True), None, look(age_s=3600), NOW, QUIET_S), Unquiet)


@pytest.mark.parametrize(("size", "kind"), [(9, Incomplete), (11, Incomplete), (10, Ready)])
def test_the_declared_size_must_be_there(size: int, kind: type[object]) -> None:
    finding = judge(wanted(10), None, look(size, age_s=3600), NOW, QUIET_S)
    assert isinstance(finding, kind)
    if isinstance(finding, Incomplete):
        assert finding.problem.code == "size_mismatch"


@pytest.mark.parametrize(("kind", "code"), [(Kind.ABSENT, "file_missing"), (Kind.ODD, "not_a_regular_file")])
def test_what_is_no_file_is_told_as_such(kind: Kind, code: str) -> None:
    finding = judge(wanted(), Sighting(1, 1, 1.0), Look(kind, why="it is a pipe"), NOW, QUIET_S)
    assert isinstance(finding, Incomplete)
    assert (finding.problem.code, finding.seen) == (code, None)


def test_no_quiet_time_means_no_waiting() -> None:
    assert isinstance(judge(wanted(), None, look(age_s=-5), NOW, 0.0), Ready)
