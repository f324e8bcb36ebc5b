"""Merging the changes of a batch, so that each row is written once.

Applying the coalesced changes leaves the tables as applying each change by itself would. Changes of one row
merge by the policies of its table. Only two things cannot be merged away, and begin a new wave of the table,
which is written after the one before: a release (it speaks of rows by what is in them), and a step whose
outcome would depend on the row's state in more than one way.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from libs.opsdb.projection.changes import Change, Release, Upsert
from libs.opsdb.projection.policies import Policies, Versioned, merged
from libs.opsdb.projection.tables import RAW_DATA_FILE, Table

Key = tuple[object, ...]
Guards = tuple[int, ...]
"""For each guarded group of the table, the states from which it is written; 0 for a group not named."""


class Row(NamedTuple):
    """What is to become of one row."""

    values: Mapping[str, object]
    guards: Guards = ()


class Wave:
    """Rows in any order, then releases."""

    __slots__ = ("releases", "rows")

    def __init__(self) -> None:
        self.rows: dict[Key, Row] = {}
        self.releases: list[UUID] = []


Coalesced = dict[Table, list[Wave]]


def coalesce(changes: Iterable[Change]) -> Coalesced:
    """The same effect, with each row named once per wave."""
    tables: Coalesced = {}
    for change in changes:
        if isinstance(change, Release):
            _last_wave(tables, RAW_DATA_FILE).releases.append(change.package_id)
        else:
            _add(tables, change)
    return tables


def _last_wave(tables: Coalesced, table: Table) -> Wave:
    waves = tables.get(table)
    if waves is None:
        waves = tables[table] = [Wave()]
    return waves[-1]


def _add(tables: Coalesced, change: Upsert) -> None:
    table, key, values, guard = change
    wave = _last_wave(tables, table)
    if wave.releases:
        wave = _next_wave(tables, table)
    old = wave.rows.get(key)
    new = Row(values, _guards(table.policies, change)) if guard else Row(values)
    if old is not None:
        both = merge(table.policies, table, old, new)
        if both is None:
            wave = _next_wave(tables, table)
        else:
            new = both
    wave.rows[key] = new


def _next_wave(tables: Coalesced, table: Table) -> Wave:
    wave = Wave()
    tables[table].append(wave)
    return wave


def _guards(policies: Policies, change: Upsert) -> Guards:
    return tuple(change.guard if group.columns[0] in change.values else 0 for group in policies.guarded)


def merge(policies: Policies, table: Table, old: Row, new: Row) -> Row | None:
    """One row for two that are told one after the other; None if no single row has their effect."""
    if old.guards and new.guards:
        return _merge_steps(table, old, new)
    return Row(_merge_values(policies, old.values, new.values), new.guards or old.guards)


def _merge_steps(table: Table, old: Row, new: Row) -> Row | None:
    """A step after a step.

    Let the old one lead from the states A to t, and the new one be taken from the states B. If t is in B, the
    new one is taken wherever the old one was, and from B besides. If it is not, and B lies within A, then it
    is taken nowhere. Otherwise it depends: from B without A it is taken, from A it is not.
    """
    policies = table.policies
    before, after = old.guards[0], new.guards[0]
    reached = table.state_bit(str(old.values["state"]))
    if reached & after:
        values = _merge_values(policies, old.values, new.values)
        widened = before | after
        return Row(values, tuple(widened if n else o for o, n in zip(old.guards, new.guards, strict=True)))
    if after & ~before:
        return None
    return Row(_merge_values(policies, old.values, _unguarded(policies, new.values)), old.guards)


def _unguarded(policies: Policies, values: Mapping[str, object]) -> Mapping[str, object]:
    guarded = {column for group in policies.guarded for column in group.columns}
    return {column: value for column, value in values.items() if column not in guarded}


def _merge_values(
    policies: Policies, old: Mapping[str, object], new: Mapping[str, object]
) -> Mapping[str, object]:
    values = {**old, **new}
    for column, policy in policies.columns.items():
        if column in old and column in new:
            values[column] = merged(policy, policies.order, old[column], new[column])
    if policies.versioned is not None:
        _take_newest(policies.versioned, values, old, new)
    return values


def _take_newest(
    group: Versioned, values: dict[str, object], old: Mapping[str, object], new: Mapping[str, object]
) -> None:
    at, by = group.version
    if at in old and at in new and not _newer((new[at], new[by]), (old[at], old[by])):
        values.update((column, old[column]) for column in group.all)
    if group.void_in is not None and values.get("state") == group.void_in:
        values.update((column, None) for column in group.columns if column in values)


def _newer(one: tuple[object, object], other: tuple[object, object]) -> bool:
    return one > other  # an instant and an id each
