from datetime import UTC, datetime
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from contracts.associations import Exposure, ExposureNamed
from contracts.observations import (
    FiledFile,
    FilesFiled,
    ObservationFinished,
    ObservationStarted,
    Outcome,
    file_id,
)
from contracts.states import FileState
from services.filing.overlay import Overlay
from services.filing.world import KnownFile

A, B = UUID(int=1), UUID(int=2)
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def filed(unit: UUID, *paths: str, size: int | None = None) -> FilesFiled:
    files = tuple(FiledFile(file_id=file_id(unit, p), path=p, module="m", size=size) for p in paths)
    return FilesFiled(executed_obs_unit_id=unit, instrument="i", location="disk", files=files)


def test_it_adds_to_what_the_opsdb_knows() -> None:
    overlay = Overlay()
    started = ObservationStarted(executed_obs_unit_id=A, instrument="i", start_time=WHEN)
    overlay.apply(5, started, uuid4())
    overlay.apply(6, filed(A, "x", "y", size=3), last := uuid4())

    unit = overlay.unit(A, None)
    assert unit is not None
    assert unit.started == started
    old = KnownFile("m", None, None, FileState.PACKAGED)
    mine = overlay.mine(A, "disk", ["x", "z"], {"x": old, "z": old})
    assert (mine["x"].size, mine["x"].state, mine["z"]) == (3, FileState.FILED, old)
    assert overlay.elsewhere(B, "disk", ["x", "q"], {"q": A}) == {"x": A, "q": A}
    assert overlay.elsewhere(A, "disk", ["x"], {}) == {}
    assert overlay.elsewhere(B, "other", ["x"], {}) == {}
    assert overlay.last(A, None) == last
    assert overlay.last(B, UUID(int=9)) == UUID(int=9)


def test_an_exposure_is_known_until_the_opsdb_knows_it() -> None:
    overlay = Overlay()
    exposure = Exposure(name="J8C0A1Q1")
    overlay.apply(3, ExposureNamed(executed_obs_unit_id=A, exposure=exposure), uuid4())
    assert overlay.exposure(A) == exposure
    assert overlay.exposure(B) is None
    overlay.prune(3)
    assert overlay.exposure(A) is None


def test_an_end_is_joined_to_a_start_that_the_opsdb_has() -> None:
    overlay = Overlay()
    started = ObservationStarted(executed_obs_unit_id=A, instrument="i", start_time=WHEN)
    overlay.apply(1, started, uuid4())
    known = overlay.unit(A, None)
    end = ObservationFinished(
        executed_obs_unit_id=A, instrument="i", end_time=WHEN, outcome=Outcome.COMPLETED, file_count=1
    )
    overlay.apply(2, end, uuid4())
    overlay.prune(1)

    assert overlay.unit(A, None) is None
    assert known is not None
    joined = overlay.unit(A, known)
    assert joined is not None
    assert joined.finished == end


@given(
    st.lists(st.tuples(st.sampled_from([A, B]), st.sets(st.sampled_from("abcd"), min_size=1)), max_size=12),
    st.integers(0, 12),
)
def test_pruning_leaves_what_was_never_more_than_the_rest(
    registrations: list[tuple[UUID, set[str]]], position: int
) -> None:
    pruned, fresh = Overlay(), Overlay()
    for sequence, (unit, paths) in enumerate(registrations, start=1):
        event = filed(unit, *sorted(paths))
        pruned.apply(sequence, event, UUID(int=sequence))
        if sequence > position:
            fresh.apply(sequence, event, UUID(int=sequence))
    pruned.prune(position)

    for unit in (A, B):
        assert pruned.file_ids(unit) == fresh.file_ids(unit)
        assert pruned.mine(unit, "disk", "abcd", {}) == fresh.mine(unit, "disk", "abcd", {})
        assert pruned.elsewhere(unit, "disk", "abcd", {}) == fresh.elsewhere(unit, "disk", "abcd", {})
        assert pruned.last(unit, None) == fresh.last(unit, None)
    assert pruned.files == fresh.files


def test_a_file_is_found_by_its_id_as_it_was_declared_last() -> None:
    overlay = Overlay()
    overlay.apply(1, filed(A, "x", "y", size=3), uuid4())
    overlay.apply(2, filed(A, "x", size=4), uuid4())
    found = overlay.file(file_id(A, "x"))
    assert found is not None
    assert found.size == 4
    assert overlay.file(file_id(B, "x")) is None
    overlay.prune(2)
    assert overlay.file(file_id(A, "x")) is None
