"""Coalesced changes do what the changes do one by one, however a history is cut."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.states import COPY_STEPS, CopyStep, FileState, PackageState, WorkState, copy_sources
from libs.opsdb.projection.changes import Change, Release, Upsert, one
from libs.opsdb.projection.coalescing import Coalesced, Wave, coalesce
from libs.opsdb.projection.folding import fold
from libs.opsdb.projection.folds import files, observations
from libs.opsdb.projection.policies import Policy, Versioned
from libs.opsdb.projection.tables import (
    DATA_TRANSFER,
    PHYSICAL_COPY,
    PROBLEM,
    RAW_DATA_FILE,
    RAW_DATA_PACKAGE,
    REFUSAL,
    WRITE_ORDER,
    Table,
)
from tests.support.histories.logs import eventful, log

Rows = dict[tuple[str, tuple[object, ...]], dict[str, Any]]

INSTANTS = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n) for n in range(4)]
IDS = [UUID(int=n) for n in range(1, 4)]

UNHURRIED = settings(deadline=None)
"""How long an example takes depends on what else the machine does."""


class Model:
    """Tables in memory, written as the SQL does: a change meets the row that is there."""

    def __init__(self) -> None:
        self.rows: Rows = {}

    def upsert(
        self, table: Table, key: tuple[object, ...], values: Mapping[str, object], guards: Sequence[int]
    ) -> None:
        row = self.rows.get((table.name, key))
        if row is None:
            self.rows[table.name, key] = dict(values)
            return
        state = row.get("state")
        bit = 1 if state is None else table.bit_of[state]
        guarded = {
            column: bool(bit & guard)
            for group, guard in zip(table.policies.guarded, guards, strict=False)
            for column in group.columns
        }
        newer = {
            column: self._newer(group, row, values)
            for group in table.policies.versioned
            for column in group.all
        }
        before = dict(row)
        for column, value in values.items():
            if column in guarded:
                row[column] = value if guarded[column] else before.get(column)
            elif column in newer:
                row[column] = value if newer[column] else before.get(column)
            else:
                row[column] = self._merged(table, column, before.get(column), value)
        for group in table.policies.versioned:
            if group.void_in and row.get("state") == group.void_in:
                row.update((column, None) for column in group.columns if column in values)

    @staticmethod
    def _newer(group: Versioned, row: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
        if group.version[0] not in values:
            return False
        if row.get(group.version[0]) is None:
            return True
        return bool(
            tuple(values[column] for column in group.version) > tuple(row[column] for column in group.version)
        )

    @staticmethod
    def _merged(table: Table, column: str, old: Any, new: Any) -> Any:
        known = [value for value in (old, new) if value is not None]
        match table.policies.columns.get(column, Policy.REPLACE):
            case Policy.REPLACE | Policy.FIXED:
                return new
            case Policy.EARLIEST:
                return min(known, default=None)
            case Policy.LATEST:
                return max(known, default=None)
            case Policy.ABSORB:
                return max(known, key=table.policies.order.index, default=None)

    def told(self) -> Rows:
        """The rows without their nulls."""
        return {
            key: {column: value for column, value in row.items() if value is not None}
            for key, row in self.rows.items()
        }

    def release(self, package: UUID) -> None:
        for (table, _), row in self.rows.items():
            if table != "raw_data_file" or row.get("raw_data_package_id") != package:
                continue
            if row["state"] == FileState.PLANNED:
                row.update(state=FileState.SCANNED, raw_data_package_id=None)


def one_by_one(changes: Iterable[Change]) -> Rows:
    model = Model()
    for change in changes:
        if isinstance(change, Release):
            model.release(change.package_id)
            continue
        for key, values in change.rows:
            model.upsert(change.table, key, values, [change.guard] * len(change.table.policies.guarded))
    return model.told()


def coalesced(batches: Iterable[Sequence[Change]]) -> Rows:
    model = Model()
    for batch in batches:
        found = coalesce(batch)
        for table in WRITE_ORDER:
            for wave in found[table].waves if table in found else ():
                _apply_wave(model, table, wave)
    return model.told()


def _apply_wave(model: Model, table: Table, wave: Wave) -> None:
    for key, row in wave.rows.items():
        model.upsert(table, key, row.values, row.guards)
    for package in wave.releases:
        model.release(package)


def cut(changes: Sequence[Change], lengths: Sequence[int]) -> list[Sequence[Change]]:
    batches, first = [], 0
    for length in lengths:
        batches.append(changes[first : first + length])
        first += length
    return [*batches, changes[first:]]


_VERSIONS = st.tuples(st.sampled_from(INSTANTS), st.sampled_from(IDS))


@st.composite
def file_changes(draw: st.DrawFn) -> Change:
    """Any step that some fold takes, and columns beside the steps."""
    file, package = draw(st.sampled_from(IDS)), draw(st.sampled_from(IDS))
    told = draw(st.integers(0, 9))
    state: dict[str, object] = {"problem_code": f"problem {told}", "raw_data_package_id": None}
    kind = draw(st.sampled_from(("filed", "scanned", "missing", "assigned", "refused", "packaged", "p", "r")))
    match kind:
        case "r":
            return Release(package)
        case "p":
            return one(RAW_DATA_FILE, (file,), {"preview_etag": str(told)})
        case "filed":
            state |= {"state": FileState.FILED, "path": str(told)}
            guard = observations.FROM_BEFORE_THE_SCAN
        case "scanned":
            state |= {"state": FileState.SCANNED, "size": told, "mtime_ns": told, "scanned_at": told}
            guard = files.FROM_BEFORE_PLANNED
        case "missing":
            state |= {"state": FileState.MISSING}
            guard = files.FROM_BEFORE_PLANNED
        case "assigned":
            state |= {"state": FileState.PLANNED, "raw_data_package_id": package}
            guard = files.FROM_BEFORE_PACKAGED
        case "refused":
            state |= {"state": draw(st.sampled_from((FileState.FILED, FileState.REFUSED)))}
            guard = files.FROM_BEFORE_PACKAGED
        case _:
            state |= {"state": FileState.PACKAGED, "raw_data_package_id": package, "sha256": str(told)}
            guard = files.FROM_ANY
    return Upsert(RAW_DATA_FILE, [((file,), state)], guard)


@st.composite
def package_changes(draw: st.DrawFn) -> Change:
    values: dict[str, object] = {}
    if draw(st.booleans()):
        values["state"] = draw(st.sampled_from(PackageState))
    archived = values.get("state") is PackageState.ARCHIVED
    if archived or draw(st.booleans()):
        at, by = draw(_VERSIONS)
        clears = archived or at is INSTANTS[0]
        told = None if clears else f"{at} {by}"
        values |= {"problem_at": at, "problem_by": by, **dict.fromkeys(PROBLEM, told)}
    if draw(st.booleans()):
        values["verified_at"] = draw(st.sampled_from([*INSTANTS, None]))
    if draw(st.booleans()):
        values["name"] = draw(st.sampled_from(["a", "b", None]))
    return one(RAW_DATA_PACKAGE, (draw(st.sampled_from(IDS)),), values)


@st.composite
def copy_changes(draw: st.DrawFn) -> Change:
    """Any step that may happen to a copy, and what scrubs say beside the steps."""
    copy, told = draw(st.sampled_from(IDS)), draw(st.integers(0, 9))
    named: dict[str, object] = {"kind": "raw_data_package", "entity_id": copy, "location": "buffer"}
    step = draw(st.sampled_from([None, *(step for step in CopyStep if step is not CopyStep.BEGUN)]))
    if step is None:
        return one(PHYSICAL_COPY, (copy,), {**named, "verified_at": told})
    state = draw(st.sampled_from(sorted(COPY_STEPS[step])))
    refusal = f"refusal {told}" if step is CopyStep.REFUSED else None
    values = {**named, "state": state, "path": str(told), **dict.fromkeys(REFUSAL, refusal)}
    if step is not CopyStep.SCHEDULED:
        values |= {"refused_at": told if refusal else None}
    if step in {CopyStep.ARRIVED, CopyStep.SCHEDULED}:
        values |= {"scheduled_at": told if step is CopyStep.SCHEDULED else None}
    if step in {CopyStep.ARRIVED, CopyStep.DELETED}:
        values |= {"deleted_at": told if step is CopyStep.DELETED else None}
    guard = PHYSICAL_COPY.bits(*copy_sources(step, state))
    return Upsert(PHYSICAL_COPY, [((copy,), values)], guard)


def _transfer(state: WorkState, key: UUID) -> Change:
    return one(DATA_TRANSFER, (key,), {"state": state, "data_transfer_package_id": key})


ANY_CHANGE = st.one_of(
    file_changes(),
    package_changes(),
    copy_changes(),
    st.builds(_transfer, st.sampled_from(WorkState), st.sampled_from(IDS)),
)


@UNHURRIED
@given(st.lists(ANY_CHANGE, max_size=40), st.lists(st.integers(1, 12), max_size=6))
def test_any_cut_has_the_effect_of_single_changes(changes: list[Change], lengths: list[int]) -> None:
    assert coalesced(cut(changes, lengths)) == one_by_one(changes)


@UNHURRIED
@given(st.integers(0, 1000), st.lists(st.integers(1, 60), max_size=8))
def test_plausible_histories_too(seed: int, lengths: list[int]) -> None:
    changes = [change for h in log(eventful(2, seed), seed) for change in fold(h.envelope, h.event)]
    assert coalesced(cut(changes, lengths)) == one_by_one(changes)


@UNHURRIED
@given(st.lists(copy_changes(), max_size=12), st.lists(st.integers(1, 4), max_size=4))
def test_the_steps_of_copies_too(changes: list[Change], lengths: list[int]) -> None:
    assert coalesced(cut(changes, lengths)) == one_by_one(changes)


@given(st.lists(file_changes(), max_size=12))
def test_coalescing_leaves_the_changes_as_they_were(changes: list[Change]) -> None:
    assert coalesced([changes]) == coalesced([changes])


def _waves(found: Coalesced) -> int:
    return sum(len(waves.waves) for waves in found.values())


def test_the_road_of_a_file_is_one_row() -> None:
    guard, whole = files.FROM_BEFORE_PLANNED, files.FROM_ANY
    key = (IDS[0],)
    changes = [
        Upsert(RAW_DATA_FILE, [(key, {"state": FileState.FILED})], observations.FROM_BEFORE_THE_SCAN),
        Upsert(RAW_DATA_FILE, [(key, {"state": FileState.SCANNED, "size": 1})], guard),
        Upsert(RAW_DATA_FILE, [(key, {"state": FileState.PLANNED})], files.FROM_BEFORE_PACKAGED),
        Upsert(RAW_DATA_FILE, [(key, {"state": FileState.PACKAGED})], whole),
    ]
    found = coalesce(changes)
    assert _waves(found) == 1
    assert found[RAW_DATA_FILE].waves[0].rows[key].values == {"state": FileState.PACKAGED, "size": 1}


def test_a_release_closes_a_wave() -> None:
    planned = Upsert(RAW_DATA_FILE, [((IDS[0],), {"state": FileState.PLANNED})], files.FROM_BEFORE_PACKAGED)
    assert _waves(coalesce([planned, Release(IDS[1]), Release(IDS[2]), planned])) == 2


def test_an_event_of_no_files_changes_nothing() -> None:
    assert coalesced([[Upsert(RAW_DATA_FILE, [], files.FROM_ANY)]]) == {}
