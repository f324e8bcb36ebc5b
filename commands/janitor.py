"""``chasqui janitor plan``: what would go now, what not, and why; nothing is touched."""

import asyncio
import json
from collections.abc import Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from commands.reaching import places_of, reached
from commands.wording import instant, size
from libs.errors import Retriable, UserError
from libs.service.archives import open_archives
from libs.service.service import Place
from libs.sites.workdir import Workdir
from libs.storage.disk import Space, measure_space
from services.janitor import hold_queries, staged_forecast
from services.janitor.asking import Asker
from services.janitor.forecast import Forecast, Forecaster, Verdict
from services.janitor.marks import Marks
from services.janitor.premises import Premises
from services.janitor.refusing import Code

GOES = "goes"
Told = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for.

    Attributes:
        site: This site only.
        location: This location only.
        ask: Whether archives and disks are asked, too.
        everything: Whether every copy is listed.
        reasons: List the copies that stay for these reasons (or go: ``goes``).
    """

    site: str | None = None
    location: str | None = None
    ask: bool = False
    everything: bool = False
    reasons: tuple[str, ...] = ()

    def wanted(self, verdict: Verdict) -> bool:
        """Whether a copy is to be listed."""
        return self.everything or (verdict.problem.code if verdict.problem else GOES) in self.reasons


async def plan(
    workdir: Workdir, question: Question, *, as_json: bool = False, console: Console | None = None
) -> int:
    """Show what the janitors of the sites that run here would do now.

    Returns:
        0.

    Raises:
        UserError: Nothing runs there, ``unknown_location`` or ``unknown_reason``.
        Retriable: A site's servers are away.
    """
    console = console or Console()
    places = places_of(workdir, question.site)
    _check(places, question)
    found = {place.site: await _of_site(place, question) for place in places}
    if as_json:
        told = {site: {one.location: _told(one) for one in several} for site, several in found.items()}
        console.print(json.dumps(told), soft_wrap=True, markup=False, highlight=False)
    else:
        for site, several in found.items():
            for one in several:
                console.print(_shown(site, one, asked=question.ask))
    return 0


def _check(places: Collection[Place], question: Question) -> None:
    sites = [Premises.of(place, ()) for place in places]
    known = [name for site in sites for name in (*site.cleared, *site.processing)]
    if question.location is not None and question.location not in known:
        raise UserError(
            "unknown_location",
            f"{question.location!r} is no SOURCE, BUFFER or PROCESSING of a site that runs there",
            f"Choose from {', '.join(known) or 'none'}.",
        )
    reasons = {GOES, *Code}
    for reason in question.reasons:
        if reason not in reasons:
            raise UserError(
                "unknown_reason",
                f"no copy stays because of {reason!r}",
                f"Choose from {', '.join(sorted(reasons))}; docs/states.md explains them.",
            )


async def _of_site(place: Place, question: Question) -> list[Forecast]:
    async with AsyncExitStack() as stack:
        sight = await stack.enter_async_context(reached(place))
        stores = await stack.enter_async_context(open_archives(place))
        premises = Premises.of(place, stores)
        view = await stack.enter_async_context(sight.opsdb.snapshot(premises.stream))
        asker = Asker(stores) if question.ask else None
        holds = await hold_queries.standing(view)
        now, marks = datetime.now(UTC), Marks(sight.client, place.site)
        forecaster = Forecaster(view, premises, holds, now, asker)
        cleared = [
            await forecaster.forecast(
                name,
                await _space(disk.path),
                pressed=(await marks.recall(name)).pressed,
                wanted=question.wanted,
            )
            for name, disk in premises.cleared.items()
            if question.location in (None, name)
        ]
        staged = [
            await staged_forecast.forecast(
                view,
                name,
                disk,
                await _space(disk.path),
                holds=holds,
                now=now,
                look=question.ask,
                wanted=question.wanted,
            )
            for name, disk in premises.processing.items()
            if question.location in (None, name)
        ]
        return [*cleared, *staged]


async def _space(path: Path) -> Space | None:
    try:
        return await asyncio.to_thread(measure_space, path)
    except (OSError, Retriable):
        return None


def _told(found: Forecast) -> Told:
    """A forecast for scripts."""
    space = found.space
    return {
        "disk": None
        if space is None
        else {
            "total": space.total,
            "used_fraction": space.used_fraction,
            "used_fraction_after": found.used_after,
            "high_water": found.retention.high_water,
            "low_water": found.retention.relieved_at,
            "pressed": found.pressed,
        },
        "goes": {"copies": found.copies, "bytes": found.size, "before_their_age": found.early},
        "stays": [
            {
                "code": code,
                "copies": group.copies,
                "bytes": group.size,
                "reason": group.problem.reason,
                "remedy": group.problem.remedy,
                "first_goes_at": _iso(group.first_due),
                "last_goes_at": _iso(group.last_due),
            }
            for code, group in found.stay.items()
        ],
        "listed": [_listed(verdict) for verdict in found.verdicts],
    }


def _listed(verdict: Verdict) -> Told:
    return {
        "path": verdict.path,
        "id": str(verdict.id),
        "package": str(verdict.package) if verdict.package else None,
        "bytes": verdict.size,
        "copies": verdict.copies,
        "verdict": verdict.problem.code if verdict.problem else GOES,
        "reason": verdict.problem.reason if verdict.problem else None,
        "goes_at": _iso(verdict.due),
    }


def _iso(when: datetime | None) -> str | None:
    return when.isoformat() if when else None


def _shown(site: str, found: Forecast, *, asked: bool) -> Group:
    """A forecast for a person."""
    by = "ops-db, archives and disk" if asked else "ops-db; --ask asks archives and disk, too"
    title = Text.assemble((f"{found.location} ", "bold"), (f"at {site}, by {by}", "dim"))
    table = _table("", "copies", "bytes", "why", "goes")
    early = f"{found.early} before their age: the disk is too full" if found.early else ""
    table.add_row(Text(GOES, style="green"), f"{found.copies:,}", size(found.size), early, "now")
    for code, group in sorted(found.stay.items(), key=lambda item: -item[1].size):
        first, last = instant(group.first_due), instant(group.last_due)
        when = first if first == last else f"{first} to {last}"
        table.add_row(code, f"{group.copies:,}", size(group.size), Text(group.problem.reason), when)
    parts: list[Text | Table] = [title, _disk(found), table]
    if found.verdicts:
        parts += [Text(), _list(found.verdicts)]
    return Group(*parts, Text())


def _disk(found: Forecast) -> Text:
    if found.space is None or found.used_after is None:
        return Text("its disk cannot be measured from here", style="yellow")
    words = f"disk {found.space.used_fraction:.1%} in use, {found.used_after:.1%} afterwards"
    marks = f"high water {found.retention.high_water:.0%}, low water {found.retention.relieved_at:.0%}"
    return Text(f"{words} ({marks})", style="red" if found.pressed else "dim")


def _list(verdicts: Collection[Verdict]) -> Table:
    table = _table("path", "bytes", "", "why")
    for verdict in verdicts:
        problem = verdict.problem
        why = problem.reason if problem else ""
        table.add_row(Text(verdict.path), size(verdict.size), problem.code if problem else GOES, Text(why))
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold", header_style="dim")
    return table
