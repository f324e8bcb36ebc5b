"""``chasqui catalog apply``: reference data is registered by events, after its differences were shown."""

import getpass
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from commands.config import render_finding
from commands.reaching import reached
from commands.wording import many
from contracts.subjects import events_stream
from libs.bus.extent import last_sequence
from libs.bus.publishing import EventPublisher
from libs.catalog.checking import check
from libs.catalog.differences import EntryChange, differences, unchanged
from libs.catalog.reading import Contents, contents
from libs.catalog.registered import Registered, registered
from libs.catalog.telling import events_of
from libs.errors import UserError
from libs.insight.sight import Sight
from libs.service.service import Place
from libs.sites.document import Malformed, parse
from libs.sites.findings import Finding, Issue, Severity, error
from libs.sites.loading import finding_at, located, read_text

SERVICE = "catalog"
APPLIED_WITHIN_S = 30.0

Confirm = Callable[[str], bool]
"""Asks a person; raises UserError if nobody can be asked."""


class Doing(Enum):
    """Whether the command does what it shows."""

    ASKED = auto()
    """If a person says yes."""
    NOW = auto()
    """Without asking (``--yes``)."""
    NOT_AT_ALL = auto()
    """It only shows (``--dry-run``)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be registered.

    Attributes:
        file: The catalog file.
        reason: Why, for the log; empty if it was not said.
    """

    file: Path
    doing: Doing
    reason: str = ""


async def apply(
    place: Place, wanted: Wanted, confirm: Confirm, *, as_json: bool = False, console: Console | None = None
) -> int:
    """Compare a catalog file with what is registered, show the differences, and register them.

    Args:
        place: The site whose log is told; the others hear of it.
        wanted: What.
        confirm: Asks whether it is to be done.
        as_json: One JSON object in the place of words.
        console: Where to show it.

    Returns:
        0 if everything is registered, or was; 1 if it was not to be done; 2 if the file has errors.

    Raises:
        UserError: ``not_confirmed``: nobody can be asked.
        Retriable: The site's servers are away; repeat the command.
    """
    console = console or Console()
    async with reached(place) as sight:
        stream = events_stream(place.site)
        await sight.opsdb.wait_applied(
            stream, await last_sequence(sight.client, stream), timeout=APPLIED_WITHIN_S
        )
        known = await registered(sight.opsdb)
        found, findings, text = examine(wanted.file, known)
        errors = [one for one in findings if one.severity is Severity.ERROR]
        changes = [] if errors else differences(found, known)
        if as_json and (errors or wanted.doing is Doing.NOT_AT_ALL or not changes):
            _print(console, _as_json(place.site, found, findings, changes, applied=False))
        if not as_json:
            _show(console, wanted.file, text, findings)
        if errors:
            return 2
        return await _settle(sight, wanted, confirm, known, _Told(found, findings, changes, as_json, console))


@dataclass(frozen=True, slots=True)
class _Told:
    found: Contents
    findings: Sequence[Finding]
    changes: Sequence[EntryChange]
    as_json: bool
    console: Console


async def _settle(sight: Sight, wanted: Wanted, confirm: Confirm, known: Registered, told: _Told) -> int:
    changes, console = told.changes, told.console
    same = unchanged(told.found, changes)
    if not told.as_json:
        console.print(render(changes, same))
    if not changes or wanted.doing is Doing.NOT_AT_ALL:
        return 0
    if wanted.doing is Doing.ASKED and not confirm(f"Register {many(len(changes), 'change')}?"):
        console.print(Text("nothing was registered"))
        return 1
    site = sight.place.site
    events = events_of(
        changes, known, site=site, now=datetime.now(UTC), by=getpass.getuser(), reason=wanted.reason
    )
    last = await EventPublisher(sight.client, site=site, service=SERVICE).publish(events)
    await sight.opsdb.wait_applied(events_stream(site), last, timeout=APPLIED_WITHIN_S)
    if told.as_json:
        _print(console, _as_json(site, told.found, told.findings, changes, applied=True))
    else:
        console.print(Text(f"{many(len(changes), 'change')} registered at {site}", style="green"))
    return 0


def examine(file: Path, known: Registered) -> tuple[Contents, tuple[Finding, ...], str]:
    """Read and check a file; its text is returned as well."""
    name, text = str(file), read_text(file)
    if isinstance(text, Issue):
        return Contents(), (finding_at(name, text, 1, 1),), ""
    try:
        document = parse(text)
    except Malformed as wrong:
        issue = error((), "yaml_invalid", str(wrong), "Correct the line, or the one above it.")
        return Contents(), (finding_at(name, issue, wrong.line, wrong.column),), text
    found = contents(document)
    return found, located(name, document, (*found.issues, *check(found.entries, known))), text


def render(changes: Sequence[EntryChange], same: int) -> Text:
    """The differences, for a person: + is new, ~ is changed, - is retired."""
    if not changes:
        return Text(f"nothing changes: {many(same, 'entry', 'entries')} registered just so")
    text = Text()
    for change in changes:
        sign, style = _sign(change)
        text.append(f"{sign} {change.shape.kind.replace('_', ' ')} {change.name}\n", style)
        for one in change.fields:
            before = "" if change.before is None else f"{_value(one.before)} → "
            text.append(f"    {one.field}: {before}{_value(one.after)}\n", "dim")
    new = sum(change.before is None for change in changes)
    return text.append(f"{new} new, {len(changes) - new} changed, {same} as they were")


def _sign(change: EntryChange) -> tuple[str, str]:
    if change.before is None:
        return "+", "green"
    return ("-", "red") if change.after.retired and not change.before.retired else ("~", "yellow")


def _value(value: object) -> str:
    return (
        "nothing" if value is None else "true" if value is True else "false" if value is False else str(value)
    )


def _show(console: Console, file: Path, text: str, findings: Sequence[Finding]) -> None:
    for one in findings:
        render_finding(one, text.splitlines(), console)
    errors = sum(one.severity is Severity.ERROR for one in findings)
    if errors:
        console.print(Text(f"{file} cannot be used: {many(errors, 'error')}", style="bold red"))


def _as_json(
    site: str,
    found: Contents,
    findings: Sequence[Finding],
    changes: Sequence[EntryChange],
    *,
    applied: bool,
) -> str:
    return json.dumps(
        {
            "site": site,
            "applied": applied,
            "unchanged": unchanged(found, changes),
            "changes": [_change(change) for change in changes],
            "findings": [
                {"severity": one.severity, "line": one.line, "where": one.where, **one.problem.model_dump()}
                for one in findings
            ],
        }
    )


def _change(change: EntryChange) -> dict[str, Any]:
    after = change.after.model_dump(mode="json")
    before = {} if change.before is None else change.before.model_dump(mode="json")
    fields = {
        one.field: {"before": before.get(one.field), "after": after[one.field]} for one in change.fields
    }
    return {
        "kind": change.shape.kind,
        "name": change.name,
        "new": change.before is None,
        "fields": fields,
    }


def not_interactive(_question: str) -> bool:
    """Nobody can be asked.

    Raises:
        UserError: ``not_confirmed``, always.
    """
    raise UserError(
        "not_confirmed",
        "there is nobody to ask whether this is to be registered",
        "Say --yes, or --dry-run to see it only.",
    )


def _print(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, markup=False, highlight=False)
