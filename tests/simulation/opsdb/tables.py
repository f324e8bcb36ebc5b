"""Tables in memory, and the changes of a batch written into them as PostgreSQL writes the statements of it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from typing import NamedTuple
from uuid import UUID

from contracts.states import FileState, PackageState, PreviewState
from libs.opsdb.models import METADATA
from libs.opsdb.projection.applying import Applied, Batch, Happening
from libs.opsdb.projection.changes import Key, Values
from libs.opsdb.projection.coalescing import Coalesced, Guards, Wave, coalesce
from libs.opsdb.projection.folding import fold
from libs.opsdb.projection.policies import Policy, Versioned
from libs.opsdb.projection.tables import (
    API_TOKEN_USE,
    BUNDLED_PACKAGE,
    DATA_TRANSFER,
    RAW_DATA_FILE,
    UNFILED_FILE,
    WRITE_ORDER,
    Table,
)

Row = Mapping[str, object]
Rows = dict[Key, Row]

_DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "raw_data_file": {"preview_state": PreviewState.PENDING},
    "unfiled_file": {"filed": False},
}
_BLANK: Mapping[str, Mapping[str, object]] = {
    table.name: {**dict.fromkeys(table.types), **_DEFAULTS.get(table.name, {})} for table in WRITE_ORDER
}
_PACKAGE_STATES = list(PackageState)


class Record(NamedTuple):
    """A row of event_record."""

    stream: str
    sequence: int
    event_id: UUID
    type: str
    about: str
    site: str
    service: str
    time: datetime
    causation_id: str | None


@dataclass
class Tables:
    """Everything in one ops-db. Rows are never changed in place, so that a copy of the tables is a snapshot.

    Attributes:
        rows: By table and key.
        records: In the order in which they were made.
        positions: By stream, the last sequence applied, and the time of the last event up to there.
        known: Ids of events and their streams.
        touched: Rows that were named or changed since the last batch began; singly folded events gather theirs.
        merged_before: What single events come to; shared by all tables of a history, for every site applies them.
    """

    rows: dict[str, Rows] = field(default_factory=lambda: {table.name: {} for table in WRITE_ORDER})
    records: list[Record] = field(default_factory=list)
    positions: dict[str, tuple[int, datetime | None]] = field(default_factory=dict)
    known: set[tuple[int, str]] = field(default_factory=set)
    touched: set[tuple[str, Key]] = field(default_factory=set)
    merged_before: dict[tuple[str, int], Coalesced] = field(default_factory=dict)

    def __getitem__(self, table: str) -> Rows:
        return self.rows[table]

    def position(self, stream: str) -> int:
        """The last applied sequence of a stream; 0 before the first."""
        return self.positions[stream][0] if stream in self.positions else 0

    def snapshot(self) -> "Tables":
        """What is there now, whatever comes."""
        rows = {name: dict(rows) for name, rows in self.rows.items()}
        return Tables(
            rows, list(self.records), dict(self.positions), set(self.known), merged_before=self.merged_before
        )

    def apply(self, batch: Batch) -> Applied:
        """As `libs.opsdb.projection.applying.apply`: all of it, or nothing."""
        self.touched = set()
        if len(batch.happenings) == 1 and len(batch.positions) == 1:
            return self._apply_one(batch.happenings[0], batch)
        happenings = [h for h in batch.happenings if h.sequence > self.position(h.stream)]
        news = [h for h in happenings if self._record(h)]
        written = self.write(coalesce(change for h in news for change in fold(h.envelope, h.event)))
        times = {h.stream: h.envelope.time for h in batch.happenings}
        for stream, sequence in batch.positions.items():
            if sequence > self.position(stream):
                _, before = self.positions.get(stream, (0, None))
                self.positions[stream] = (sequence, times.get(stream) or before)
        return Applied(len(happenings), len(happenings) - len(news), written)

    def _apply_one(self, happening: Happening, batch: Batch) -> Applied:
        stream = happening.stream
        if happening.sequence <= self.position(stream):
            return Applied(0, 0, 0)
        self.positions[stream] = (batch.positions[stream], happening.envelope.time)
        if not self._record(happening):
            return Applied(1, 1, 0)
        return Applied(1, 0, self.write(self._folded(happening)))

    def _folded(self, one: Happening) -> Coalesced:
        """What an event comes to by itself: the same at every site."""
        place = (one.stream, one.sequence)
        known = self.merged_before.get(place)
        if known is None:
            known = self.merged_before[place] = coalesce(fold(one.envelope, one.event))
        return known

    def fold_one(self, happening: Happening) -> None:
        """Apply an event by itself, wherever in its stream it stands; what it touches is added to `touched`."""
        if self._record(happening):
            self.write(self._folded(happening))
            self.positions[happening.stream] = (happening.sequence, happening.envelope.time)

    def _record(self, happening: Happening) -> bool:
        """Make an event's record; whether it is no repeat."""
        told = happening.envelope
        name = (told.id.int, happening.stream)
        if name in self.known:
            return False
        self.known.add(name)
        self.records.append(
            Record(
                happening.stream, happening.sequence, told.id, told.type, told.about, told.site,
                told.service, told.time, told.causation_id,
            )
        )  # fmt: skip
        return True

    def write(self, coalesced: Coalesced) -> int:
        """Write merged changes and what follows from them; returns how many rows were named."""
        count = 0
        tables = WRITE_ORDER if len(coalesced) > 1 else coalesced
        for table in tables:
            if table in coalesced:
                for wave in coalesced[table].waves:
                    count += self._write_wave(table, wave)
        self._conclude(coalesced)
        return count

    def _write_wave(self, table: Table, wave: Wave) -> int:
        name = table.name
        rows, rules, touched = self.rows[name], _rules(table), self.touched
        for key, row in wave.rows.items():
            values = row.values
            touched.add((name, key))
            there = rows.get(key)
            if there is None:
                rows[key] = {**_BLANK[name], **dict(zip(table.key, key, strict=True)), **values}
            elif rules:
                rows[key] = {**there, **merged(rules, there, values, row.guards)}
            else:
                rows[key] = {**there, **values}
        if wave.releases and table is RAW_DATA_FILE:
            self._release(set(wave.releases))
        return len(wave.rows)

    def _release(self, packages: set[UUID]) -> None:
        files = self.rows["raw_data_file"]
        for key, row in files.items():
            if row["raw_data_package_id"] in packages and row["state"] == FileState.PLANNED:
                self._change("raw_data_file", key, state=FileState.SCANNED, raw_data_package_id=None)

    def _conclude(self, coalesced: Coalesced) -> None:
        """As `libs.opsdb.projection.reconciling.conclusions`."""
        if BUNDLED_PACKAGE in coalesced or DATA_TRANSFER in coalesced:
            bundles = {key[0] for key, _ in _named(coalesced, BUNDLED_PACKAGE)}
            bundles |= {values["data_transfer_package_id"] for _, values in _named(coalesced, DATA_TRANSFER)}
            self._transferring(bundles)
        if API_TOKEN_USE in coalesced:
            self._tokens_used({key[0] for key, _ in _named(coalesced, API_TOKEN_USE)})
        filed = any("path" in values for _, values in _named(coalesced, RAW_DATA_FILE))
        if filed or UNFILED_FILE in coalesced:
            self._filed_after_all()

    def _tokens_used(self, tokens: set[object]) -> None:
        for token in tokens:
            uses = [row for row in self.rows["api_token_use"].values() if row["api_token_id"] == token]
            last = max(uses, key=lambda row: (row["last_used_at"], row["last_address"]))
            self._change(
                "api_token",
                (token,),
                use_count=sum(int(str(row["uses"])) for row in uses),
                last_used_at=last["last_used_at"],
                last_address=last["last_address"],
            )

    def _transferring(self, bundles: set[object]) -> None:
        begun = {row["data_transfer_package_id"] for row in self.rows["data_transfer"].values()}
        packages = self.rows["raw_data_package"]
        for bundle, package in list(self.rows["bundled_package"]):
            row = packages.get((package,))
            if bundle in bundles and bundle in begun and row is not None and _before_transfer(row["state"]):
                self._change("raw_data_package", (package,), state=PackageState.TRANSFERRING)

    def _filed_after_all(self) -> None:
        places = {(row["location"], row["path"]) for row in self.rows["raw_data_file"].values()}
        unfiled = self.rows["unfiled_file"]
        for key, row in unfiled.items():
            if not row["filed"] and (row["location"], row["path"]) in places:
                self._change("unfiled_file", key, filed=True)

    def _change(self, table: str, key: Key, **columns: object) -> None:
        self.rows[table][key] = {**self.rows[table][key], **columns}
        self.touched.add((table, key))


def _named(coalesced: Coalesced, table: Table) -> list[tuple[Key, Values]]:
    waves = coalesced[table].waves if table in coalesced else ()
    return [(key, row.values) for wave in waves for key, row in wave.rows.items()]


def _before_transfer(state: object) -> bool:
    if state is None:
        return True
    return _PACKAGE_STATES.index(PackageState(str(state))) < _PACKAGE_STATES.index(PackageState.TRANSFERRING)


def merged(rules: "Mapping[str, Rule]", there: Row, comes: Values, guards: Guards) -> Mapping[str, object]:
    """What an upsert makes of the named columns of a row that is there: as `statements.upsert_sql` says."""
    if rules.keys().isdisjoint(comes):
        return comes
    return {
        column: rule(there, comes, column, guards) if (rule := rules.get(column)) is not None else value
        for column, value in comes.items()
    }


Rule = Callable[[Row, Values, str, Guards], object]
"""What becomes of a column."""


@cache
def _rules(table: Table) -> Mapping[str, Rule]:
    """By column, its rule; columns without one take what comes."""
    policies = table.policies
    found: dict[str, Rule] = {}
    for column, policy in policies.columns.items():
        match policy:
            case Policy.FIXED:
                found[column] = _fixed
            case Policy.EARLIEST:
                found[column] = partial(_extreme, min)
            case Policy.LATEST:
                found[column] = partial(_extreme, max)
            case Policy.ABSORB:
                found[column] = partial(_absorbed, table)
            case Policy.REPLACE:
                pass
    for versioned in policies.versioned:
        found |= dict.fromkeys(versioned.all, partial(_versioned, table, versioned))
    for number, group in enumerate(policies.guarded):
        found |= dict.fromkeys(group.columns, partial(_guarded, table, number))
    return found


def _fixed(there: Row, _comes: Values, column: str, _guards: Guards) -> object:
    return there[column]


def _extreme(pick: Callable[..., object], there: Row, comes: Values, column: str, _guards: Guards) -> object:
    return pick((value for value in (there[column], comes[column]) if value is not None), default=None)


def _absorbed(table: Table, there: Row, comes: Values, column: str, _guards: Guards) -> object:
    return _further(table, there[column], comes[column])


def _guarded(table: Table, number: int, there: Row, comes: Values, column: str, guards: Guards) -> object:
    guard = guards[number] if guards else 0
    taken = there["state"] is None or table.bit_of[there["state"]] & guard
    return comes[column] if taken else there[column]


def _further(table: Table, old: object, new: object) -> object:
    if new is None:
        return old
    if old is None:
        return new
    order = table.policies.order
    return old if order.index(str(old)) >= order.index(str(new)) else new


def _versioned(
    table: Table, group: Versioned, there: Row, comes: Values, column: str, _guards: Guards
) -> object:
    at, by = group.version
    newer = there[at] is None or (comes[at], comes[by]) > (there[at], there[by])
    value = comes[column] if newer else there[column]
    if group.void_in is None or column in group.version:
        return value
    state = _further(table, there["state"], comes["state"]) if "state" in comes else there["state"]
    return None if state == group.void_in else value


def fold_singly(tables: Tables, happenings: Iterable[Happening]) -> None:
    """Apply events one by one."""
    for happening in happenings:
        tables.fold_one(happening)


def differences(one: Tables, other: Tables) -> list[str]:
    """Rows that are not the same, in words; positions and records apart."""
    return [
        f"{name} {'/'.join(map(str, key))}: {difference(one[name].get(key), other[name].get(key))}"
        for name in one.rows
        for key in sorted(set(one[name]) | set(other[name]), key=str)
        if one[name].get(key) != other[name].get(key)
    ]


def difference(one: Row | None, other: Row | None) -> str:
    """The columns in which two rows differ."""
    if one is None or other is None:
        return f"{'no row' if one is None else 'a row'} / {'no row' if other is None else 'a row'}"
    return ", ".join(
        f"{column} {one[column]} / {other[column]}" for column in one if one[column] != other[column]
    )


assert set(_BLANK) | {"event_record", "stream_position"} == set(METADATA.tables), "a table has no place here"
