"""The table of folds is whole, and each fold changes what its event says."""

from collections import Counter

import pytest

from contracts.copies import copy_id
from contracts.registry import EVENTS
from contracts.states import CopyKind, FileState, PackageState, WorkState
from libs.opsdb.projection import tables
from libs.opsdb.projection.changes import Change, Release, Upsert, Values, text_array
from libs.opsdb.projection.folding import FOLDS, fold
from tests.support.histories import mishaps, road
from tests.support.histories.logs import BEGIN, eventful, log
from tests.support.histories.road import Observation, Step

OBSERVATION = Observation(number=1, files=2, start=BEGIN)


def changes_of(step: Step) -> list[Change]:
    [happening] = log(iter([step]))
    return fold(happening.envelope, happening.event)


def rows_of(changes: list[Change], table: tables.Table) -> list[Values]:
    return [
        values
        for change in changes
        if isinstance(change, Upsert) and change.table is table
        for _, values in change.rows
    ]


def test_every_event_has_a_fold() -> None:
    assert set(FOLDS) == set(EVENTS)


def test_made_up_histories_tell_every_event() -> None:
    told = Counter(type(h.event) for seed in range(20) for h in log(eventful(8, seed), seed))
    assert set(told) == set(EVENTS)


def test_folds_name_columns_that_there_are() -> None:
    for happening in log(eventful(40, 1), 1):
        for change in fold(happening.envelope, happening.event):
            if isinstance(change, Release):
                continue
            names = {frozenset(values) for _, values in change.rows}
            assert len(names) <= 1, happening.event
            assert all(set(name) <= set(change.table.types) for name in names), happening.event
            assert all(len(key) == len(change.table.key) for key, _ in change.rows)


GUARDED = [table for table in tables.WRITE_ORDER if table.policies.guarded]


def test_files_and_copies_are_guarded() -> None:
    assert GUARDED == [tables.RAW_DATA_FILE, tables.PHYSICAL_COPY]


@pytest.mark.parametrize("table", GUARDED, ids=lambda table: table.name)
def test_a_guard_stands_exactly_where_guarded_columns_are_named(table: tables.Table) -> None:
    guarded = {c for group in table.policies.guarded for c in group.columns}
    state_group = set(table.policies.guarded[0].columns)
    for happening in log(eventful(40, 2), 2):
        for change in fold(happening.envelope, happening.event):
            if isinstance(change, Upsert) and change.table is table and change.rows:
                named = set(change.rows[0][1]) & guarded
                assert bool(change.guard) == bool(named)
                assert not named or state_group <= named
                assert not change.guard or change.guard & tables.NOTHING_BIT


def test_a_fixed_column_is_told_by_every_writer() -> None:
    fixed = {"kind", "entity_id", "location"}
    for happening in log(eventful(40, 3), 3):
        for values in rows_of(fold(happening.envelope, happening.event), tables.PHYSICAL_COPY):
            assert fixed <= set(values)


def test_what_is_not_guarded_has_no_guard() -> None:
    for happening in log(eventful(40, 2), 2):
        for change in fold(happening.envelope, happening.event):
            assert not isinstance(change, Upsert) or change.table in GUARDED or not change.guard


@pytest.mark.parametrize("table", tables.WRITE_ORDER, ids=lambda table: table.name)
def test_the_order_of_an_absorbing_state_names_every_state(table: tables.Table) -> None:
    if table.policies.order:
        assert sorted(table.policies.order) == sorted(table.states)


def test_scanned_files_are_there() -> None:
    [step] = road.scan(OBSERVATION)
    changes = changes_of(step)
    assert [v["state"] for v in rows_of(changes, tables.RAW_DATA_FILE)] == [FileState.SCANNED] * 2
    [copies] = [c for c in changes if isinstance(c, Upsert) and c.table is tables.PHYSICAL_COPY]
    assert [key for key, _ in copies.rows] == [
        (copy_id(CopyKind.RAW_DATA_FILE, i, road.SOURCE),) for i in OBSERVATION.file_ids
    ]


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("checksum_mismatch", FileState.REFUSED),
        ("file_changed", FileState.FILED),
        ("file_unreadable", FileState.FILED),
    ],
)
def test_a_refused_file_waits_for_a_person_or_the_scanner(code: str, state: FileState) -> None:
    steps = list(mishaps.refusal(OBSERVATION, code))
    [values] = rows_of(changes_of(steps[2]), tables.RAW_DATA_FILE)
    assert (values["state"], values["problem_code"]) == (state, code)


def test_an_abandoned_plan_releases_its_files() -> None:
    *_, abandoned = mishaps.refusal(OBSERVATION, "file_changed")
    assert Release(OBSERVATION.package_id) in changes_of(abandoned)


def test_a_corrupted_package_is_a_problem_and_no_copy() -> None:
    corrupted = list(mishaps.corrupted_travel(OBSERVATION))[3]
    changes = changes_of(corrupted)
    [values] = rows_of(changes, tables.RAW_DATA_PACKAGE)
    assert values["problem_code"] == "checksum_mismatch"
    assert not rows_of(changes, tables.PHYSICAL_COPY)


def test_an_archived_package_has_a_verified_copy_and_a_transfer() -> None:
    changes = changes_of((road.DESTINATION, road.archived(OBSERVATION)))
    [package] = rows_of(changes, tables.RAW_DATA_PACKAGE)
    [copy] = rows_of(changes, tables.PHYSICAL_COPY)
    [transfer] = rows_of(changes, tables.LONG_TERM_ARCHIVE_TRANSFER)
    assert package["state"] == PackageState.ARCHIVED
    assert copy["verified_at"] == road.archived(OBSERVATION).proof.proven_at
    assert transfer["state"] == WorkState.COMPLETED


def test_histories_are_the_same_for_the_same_seed() -> None:
    assert log(eventful(5, 7), 7, repeats=0.2) == log(eventful(5, 7), 7, repeats=0.2)


def test_versioned_columns_are_told_all_together_and_as_null_where_they_are_void() -> None:
    for happening in log(eventful(40, 4), 4):
        for change in fold(happening.envelope, happening.event):
            groups = () if isinstance(change, Release) else change.table.policies.versioned
            for group in groups:
                for _, values in change.rows if isinstance(change, Upsert) else ():
                    assert set(values) >= set(group.all) or not set(values) & set(group.all)
                    if group.void_in is not None and values.get("state") == group.void_in:
                        assert [values[column] for column in group.columns] == [None] * len(group.columns)


def test_a_package_is_in_the_bundle_of_the_site_that_sealed_it_whatever_relays_say() -> None:
    here, there = (
        changes_of((road.ORIGIN, road.bundled(OBSERVATION))),
        changes_of(mishaps.repaired_by_relay(OBSERVATION)),
    )
    assert rows_of(here, tables.RAW_DATA_PACKAGE) == [{"data_transfer_package_id": OBSERVATION.bundle_id}]
    assert rows_of(there, tables.RAW_DATA_PACKAGE) == []
    assert len(rows_of(there, tables.BUNDLED_PACKAGE)) == 1


def test_texts_of_an_array_are_quoted() -> None:
    assert text_array(()) == "{}"
    assert text_array(("miami", 'a "b"', r"c\d", "e,f", "")) == r'{"miami","a \"b\"","c\\d","e,f",""}'
