"""Merging the changes of a batch, so that each row is written once.

Applying the coalesced changes leaves the tables as applying each change by itself would. Changes of one row
merge by the policies of its table. Only two things cannot be merged away, and begin a new wave of the table,
which is written after the one before: a release (it speaks of rows by what is in them), and a step whose
outcome would depend on the row's state in more than one way.
"""

from collections.abc import Iterable
from functools import cache
from uuid import UUID

from libs.opsdb.projection.changes import Change, Key, Release, Upsert, Values
from libs.opsdb.projection.policies import Policies, Policy, Versioned, merged
from libs.opsdb.projection.tables import RAW_DATA_FILE, Table

Guards = tuple[int, ...]
"""For each guarded group of the table, the states from which it is written; 0 for a group not named."""


class Row:
    """What is to become of a row.

    Attributes:
        values: Of the columns that are named.
        guards: If a step changes it, from which states; else empty.
    """

    __slots__ = ("_own", "guards", "values")

    def __init__(self, values: Values, guards: Guards = ()) -> None:
        self.values = values
        self.guards = guards
        self._own: dict[str, object] | None = None

    def take(self, values: Values) -> None:
        """Let these take the place of earlier ones."""
        if self._own is None:  # the first are the change's, and other rows may have the same ones
            self.values = self._own = {**self.values, **values}
        else:
            self._own.update(values)


class Wave:
    """What is to become of some rows, in any order, and the releases after that.

    Attributes:
        rows: By their keys.
        releases: Packages whose files are free.
    """

    __slots__ = ("releases", "rows")

    def __init__(self) -> None:
        self.rows: dict[Key, Row] = {}
        self.releases: list[UUID] = []


class Waves:
    """The waves of one table, filled in the order of the changes."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._plain = _is_plain(table.policies)
        self.waves = [Wave()]

    def add(self, change: Upsert) -> None:
        """Merge a change into the last wave, or begin another."""
        if not change.rows:
            return
        if self.waves[-1].releases:
            self.waves.append(Wave())
        if change.guard:
            self._step(change, _guards(self._table.policies, change))
        elif self._plain:
            self._replace(change)
        else:
            self._merge(change)

    def release(self, package_id: UUID) -> None:
        """Close the last wave with this."""
        self.waves[-1].releases.append(package_id)

    def _replace(self, change: Upsert) -> None:
        rows = self.waves[-1].rows
        for key, new in change.rows:
            row = rows.get(key)
            if row is None:
                rows[key] = Row(new)
            else:
                row.take(new)

    def _merge(self, change: Upsert) -> None:
        rows = self.waves[-1].rows
        for key, new in change.rows:
            row = rows.get(key)
            if row is None:
                rows[key] = Row(new)
            else:
                row.take(merge_values(self._table.policies, row.values, new))

    def _step(self, change: Upsert, guards: Guards) -> None:
        """Merge a step after whatever is known of its rows.

        Let the last step lead from the states A to t, and the new one be taken from the states B. If t is in
        B, the new one is taken wherever the last one was, and from B besides. If it is not, and B lies within
        A, it is taken nowhere. Otherwise it depends: from B without A it is taken, from A it is not.
        """
        bit_of, taken_from = self._table.bit_of, guards[0]
        rows = self.waves[-1].rows
        for key, new in change.rows:
            row = rows.get(key)
            if row is None:
                rows[key] = Row(new, guards)
            elif not row.guards:
                row.guards = guards
                row.take(new)
            elif bit_of[row.values["state"]] & taken_from:
                row.guards = _widened(row.guards, guards)
                row.take(new)
            elif taken_from & ~row.guards[0]:
                self.waves.append(Wave())
                rows = self.waves[-1].rows
                rows[key] = Row(new, guards)
            else:
                row.take(_unguarded(self._table.policies, new))


Coalesced = dict[Table, Waves]


def coalesce(changes: Iterable[Change]) -> Coalesced:
    """The same effect, with each row named once per wave."""
    tables: Coalesced = {}
    for change in changes:
        table = RAW_DATA_FILE if isinstance(change, Release) else change.table
        waves = tables.get(table)
        if waves is None:
            waves = tables[table] = Waves(table)
        if isinstance(change, Release):
            waves.release(change.package_id)
        else:
            waves.add(change)
    return tables


def _is_plain(policies: Policies) -> bool:
    """Whether the later value of a column may simply take the place of the earlier one."""
    as_is = {Policy.REPLACE, Policy.FIXED}
    return not policies.versioned and as_is.issuperset(policies.columns.values())


def _guards(policies: Policies, change: Upsert) -> Guards:
    named = change.rows[0][1]
    return tuple(change.guard if group.columns[0] in named else 0 for group in policies.guarded)


@cache
def _widened(before: Guards, guards: Guards) -> Guards:
    """The guards of a step that is taken wherever the one before it was, and besides."""
    widened = before[0] | guards[0]
    return tuple(widened if n else b for b, n in zip(before, guards, strict=True))


def _unguarded(policies: Policies, values: Values) -> Values:
    guarded = {column for group in policies.guarded for column in group.columns}
    return {column: value for column, value in values.items() if column not in guarded}


def merge_values(policies: Policies, old: Values, new: Values) -> Values:
    """The columns of one row for two tellings, one after the other; guards apart."""
    values = {**old, **new}
    for column, policy in policies.columns.items():
        if column in old and column in new:
            values[column] = merged(policy, policies.order, old[column], new[column])
    for group in policies.versioned:
        _take_newest(group, values, old, new)
    return values


def _take_newest(group: Versioned, values: dict[str, object], old: Values, new: Values) -> None:
    at, by = group.version
    if at in old and at in new and not _newer((new[at], new[by]), (old[at], old[by])):
        values.update((column, old[column]) for column in group.all)
    if group.void_in is not None and values.get("state") == group.void_in:
        values.update((column, None) for column in group.columns if column in values)


def _newer(one: tuple[object, object], other: tuple[object, object]) -> bool:
    return one > other  # an instant and an id each
