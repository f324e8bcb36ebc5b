"""``chasqui opsdb``: proving that the ops-db equals the log, and making it anew from it."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from commands.reaching import places_of
from commands.run import place_of
from commands.wording import duration
from libs.opsdb.rebuild import LogStream
from libs.opsdb.upkeep.comparing import Difference, Kind, RowDifference
from libs.opsdb.upkeep.progress import Progress as Told
from libs.opsdb.upkeep.progress import Stage, Tell
from libs.opsdb.upkeep.replacing import Replaced, replace
from libs.opsdb.upkeep.verifying import Verified
from libs.opsdb.upkeep.verifying import verify as verify_tables
from libs.service.service import Place
from libs.sites.loading import load
from libs.sites.workdir import Workdir

LONGEST_VALUE = 60

_KINDS = {Kind.ONLY_IN_FIRST: "extra", Kind.ONLY_IN_SECOND: "missing", Kind.CHANGED: "changed"}
"""In words of whoever asks about the ops-db: first is the ops-db, second the log."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which ops-dbs a command is about.

    Attributes:
        workdir: Of a running `up`, and of its files.
        config: A deployment of real servers, in the place of the running one.
        site: Only this one; every one if None.
    """

    workdir: Workdir
    config: Path | None = None
    site: str | None = None

    def places(self) -> tuple[Place, ...]:
        """The sites.

        Raises:
            UserError: Nothing runs there, ``unknown_site``, or the configuration's errors.
        """
        if self.config is None:
            return places_of(self.workdir, self.site)
        sites = [self.site] if self.site else list(load(self.config, self.workdir.path).sites)
        return tuple(place_of(site, self.config, self.workdir) for site in sites)


async def verify(where: Where, *, samples: int, as_json: bool = False, console: Console | None = None) -> int:
    """Show whether each ops-db equals the log.

    Args:
        where: Which ones.
        samples: How many rows of a table to show at most.
        as_json: One JSON object by site in the place of words.
        console: Where to show it.

    Returns:
        0 if all are equal, 1 otherwise.

    Raises:
        ChasquiError: It cannot be told: see `libs.opsdb.upkeep.verifying.verify`.
    """
    console = console or Console()
    found: dict[str, Verified] = {}
    for place in where.places():
        with _shown(place.site, quiet=as_json) as tell:
            found[place.site] = await verify_tables(
                place.bus_address(), place.opsdb_writer_dsn(), _log_of(place), samples=samples, tell=tell
            )
        if not as_json:
            console.print(render(place.site, found[place.site]))
    if as_json:
        text = json.dumps({site: verified_as_json(one) for site, one in found.items()})
        console.print(text, soft_wrap=True, markup=False, highlight=False)
    return 1 if any(one.differences for one in found.values()) else 0


async def rebuild(
    where: Where,
    *,
    keep: bool = False,
    patience_s: float,
    as_json: bool = False,
    console: Console | None = None,
) -> int:
    """Fold each ops-db anew from the log, and put it in the place of the live one.

    Args:
        where: Which ones.
        keep: Whether the tables that are replaced stay, in a schema of their own.
        patience_s: For how long to try to exchange tables that somebody uses without a pause.
        as_json: One JSON object by site in the place of words.
        console: Where to show it.

    Returns:
        0.

    Raises:
        ChasquiError: One cannot be replaced; it is then as it was. See `libs.opsdb.upkeep.replacing.replace`.
    """
    console = console or Console()
    done: dict[str, dict[str, Any]] = {}
    for place in where.places():
        begun = time.monotonic()
        with _shown(place.site, quiet=as_json) as tell:
            replaced = await replace(
                place.bus_address(),
                place.opsdb_writer_dsn(),
                _log_of(place),
                reader=place.settings.opsdb.reader,
                keep=keep,
                patience_s=patience_s,
                tell=tell,
            )
        seconds = time.monotonic() - begun
        done[place.site] = {**asdict(replaced), "seconds": round(seconds, 3)}
        if not as_json:
            console.print(render_replaced(place.site, replaced, seconds))
    if as_json:
        console.print(json.dumps(done), soft_wrap=True, markup=False, highlight=False)
    return 0


def render_replaced(site: str, replaced: Replaced, seconds: float) -> RenderableType:
    """What was done at a site, for a person."""
    text = (
        f"{site}: rebuilt from {replaced.events} events in {duration(seconds)} "
        f"({replaced.events / seconds:.0f} events/s); readers waited for {duration(replaced.held_s)}"
    )
    lines = [Text(text, style="green")]
    if replaced.kept:
        lines.append(
            Text(f'The old tables are in the schema "{replaced.kept}"; DROP SCHEMA … CASCADE removes them.')
        )
    return Group(*lines)


def render(site: str, verified: Verified) -> RenderableType:
    """What was found at a site, for a person."""
    if not verified.differences:
        text = f"{site}: {verified.tables} tables equal the fold of {verified.events} events"
        return Text(text, style="green")
    rows = sum(difference.rows for difference in verified.differences)
    head = Text(
        f"{site}: {rows} rows in {len(verified.differences)} tables are not what the log says",
        style="bold red",
    )
    remedy = Text(
        "Keep this list, then make the tables anew: chasqui opsdb rebuild. Only the projector may write there: "
        "find out who else did.",
        style="yellow",
    )
    return Group(head, *(_difference(one) for one in verified.differences), remedy)


def verified_as_json(verified: Verified) -> dict[str, Any]:
    """What was found at a site, for a script."""
    return {
        "equal": not verified.differences,
        "events": verified.events,
        "positions": verified.positions,
        "tables": verified.tables,
        "differences": [_difference_as_json(one) for one in verified.differences],
    }


def _difference_as_json(difference: Difference) -> dict[str, Any]:
    return {
        "table": difference.table,
        "missing": difference.only_in_second,
        "extra": difference.only_in_first,
        "changed": difference.changed,
        "rows": [
            {
                "kind": _KINDS[row.kind],
                "key": row.key,
                "columns": {cell.column: {"opsdb": cell.first, "log": cell.second} for cell in row.cells},
            }
            for row in difference.samples
        ],
    }


def _difference(difference: Difference) -> RenderableType:
    counts = (
        f"{difference.only_in_second} missing, {difference.only_in_first} extra, {difference.changed} changed"
    )
    table = Table(box=None, padding=(0, 2, 0, 2))
    for heading in ("row", "key", "column", "ops-db", "log"):
        table.add_column(heading, overflow="fold", header_style="dim")
    for row in difference.samples:
        for cells in _lines(row):
            table.add_row(*map(Text, cells))
    unseen = difference.rows - len(difference.samples)
    more = [Text(f"    and {unseen} rows more", style="dim")] if unseen else []
    return Group(Text.assemble((difference.table, "bold"), f": {counts}"), table, *more)


def _lines(row: RowDifference) -> Iterator[Sequence[str]]:
    first = (_KINDS[row.kind], " ".join(row.key.values()))
    if row.kind is not Kind.CHANGED:
        yield (*first, "", *(("(row)", "") if row.kind is Kind.ONLY_IN_FIRST else ("", "(row)")))
        return
    for n, cell in enumerate(row.cells):
        yield (*(("", "") if n else first), cell.column, _value(cell.first), _value(cell.second))


def _value(text: str | None) -> str:
    if text is None:
        return "(null)"
    shown = repr(text)[1:-1]
    return shown if len(shown) <= LONGEST_VALUE else f"{shown[:LONGEST_VALUE]}…"


def _log_of(place: Place) -> list[LogStream]:
    return [LogStream(name) for name in place.streams]


@contextmanager
def _shown(site: str, *, quiet: bool) -> Iterator[Tell]:
    """Progress on the terminal, if there is one."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
    )  # fmt: skip
    with Progress(
        *columns, console=console, transient=True, disable=quiet or not console.is_terminal
    ) as bars:
        tasks: dict[Stage, TaskID] = {}

        def tell(told: Told) -> None:
            if told.stage not in tasks:
                tasks[told.stage] = bars.add_task(f"{site}: {told.stage.value}", note="")
            total = told.total or None
            bars.update(tasks[told.stage], completed=told.done, total=total, note=told.note)

        yield tell
