"""``chasqui scrub``: how far the archives were read again, what is damaged, and reading some copies now."""

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from commands.reaching import places_of, reached
from commands.wording import duration, instant, size
from contracts.base import Message
from contracts.copies import CopyScrubbed
from contracts.problems import Problem
from libs.bus.publishing import EventPublisher
from libs.copies.archived import examine_copy
from libs.copies.holdings import ArchivedCopy, archived_copy
from libs.errors import ChasquiError, UserError
from libs.insight.scrubs import Damage, Reading, ScrubReport, archives_of, readings, scrub_reports
from libs.insight.sight import Sight
from libs.service.service import Place
from libs.sites.workdir import Workdir
from libs.storage.s3 import S3Store

_NAMED = "SELECT id FROM raw_data_package WHERE id::text = ANY($1::text[]) OR name = ANY($1::text[])"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to know, or read.

    Attributes:
        packages: Ids or names; of all packages together if empty.
        site: Of this site only.
        location: Of this archive only.
        now: Read the copies now.
    """

    packages: tuple[str, ...] = ()
    site: str | None = None
    location: str | None = None
    now: bool = False


class Found(Message):
    """What reading a copy found.

    Attributes:
        problem: What is wrong with it; None if it is whole.
        unread: Why it could not be read, which says nothing of it; None if it was.
    """

    package_id: UUID
    name: str
    location: str
    key: str
    problem: Problem | None = None
    unread: Problem | None = None


async def scrub(
    workdir: Workdir, wanted: Wanted, *, as_json: bool = False, console: Console | None = None
) -> int:
    """Report on the archives of the running sites, or on some packages; or read these now.

    Args:
        workdir: Where an `up` runs.
        wanted: What to report on or read.
        as_json: One JSON array in the place of tables.
        console: Where to show it.

    Returns:
        0 if all is well; 1 if copies are damaged, overdue, or could not be read.

    Raises:
        UserError: Nothing runs there, ``unknown_location``, ``unknown_package``, ``packages_missing``.
        Retriable: A site's servers are away.
    """
    console = console or Console()
    if wanted.now and not wanted.packages:
        raise UserError(
            "packages_missing",
            "--now reads the packages that are named, and none is",
            "Name them by id or file name; everything else is read by itself, in time.",
        )
    places = _places(workdir, wanted)
    if not wanted.packages:
        return _show_reports(await _reports(places, wanted), console, as_json=as_json)
    if wanted.now:
        return _show_found(await _read(places, wanted), console, as_json=as_json)
    return _show_readings(await _readings(places, wanted), console, as_json=as_json)


def _places(workdir: Workdir, wanted: Wanted) -> tuple[Place, ...]:
    places = places_of(workdir, wanted.site)
    known = [name for place in places for name in archives_of(place)]
    if wanted.location is not None and wanted.location not in known:
        raise UserError(
            "unknown_location",
            f"no archive of the running sites is called {wanted.location!r}",
            f"Choose from {', '.join(known) or 'none: no site that runs here has one'}.",
        )
    return places


async def _reports(places: Sequence[Place], wanted: Wanted) -> list[ScrubReport]:
    found: list[ScrubReport] = []
    for place in places:
        async with reached(place) as site:
            found += await scrub_reports(place, site.opsdb)
    return [one for one in found if wanted.location in {None, one.location}]


async def _packages(site: Sight, wanted: Wanted) -> list[UUID]:
    return [row["id"] for row in await site.opsdb.fetch(_NAMED, list(wanted.packages))]


def _archives(place: Place, wanted: Wanted) -> list[str]:
    return [name for name in archives_of(place) if wanted.location in {None, name}]


async def _readings(places: Sequence[Place], wanted: Wanted) -> list[Reading]:
    found: list[Reading] = []
    for place in places:
        async with reached(place) as site:
            found += await readings(site.opsdb, _archives(place, wanted), await _packages(site, wanted))
    if not found:
        raise _unknown(wanted)
    return found


async def _read(places: Sequence[Place], wanted: Wanted) -> list[Found]:
    found: list[Found] = []
    for place in places:
        async with AsyncExitStack() as stack:
            site = await stack.enter_async_context(reached(place))
            packages = await _packages(site, wanted)
            for location in _archives(place, wanted):
                store = await stack.enter_async_context(S3Store(place.s3(location)))
                copies = [await archived_copy(site.opsdb, package, location) for package in packages]
                found += [await _read_one(site, store, copy) for copy in copies if copy is not None]
    if not found:
        raise _unknown(wanted)
    return found


async def _read_one(site: Sight, store: S3Store, copy: ArchivedCopy) -> Found:
    """Read a copy, as fast as it goes, and put on record what was found."""
    ref, package = copy.copy.ref, copy.package
    names = {
        "package_id": package.package_id,
        "name": package.name,
        "location": ref.location,
        "key": ref.path,
    }
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"{package.name} in {ref.location}", total=package.size)
        try:
            problem = await examine_copy(store, copy, read=lambda done: progress.update(task, completed=done))
        except ChasquiError as error:
            return Found(**names, unread=error.problem)
    event = CopyScrubbed(copy_ref=ref, scrubbed_at=datetime.now(UTC), problem=problem)
    await EventPublisher(site.client, site=site.place.site, service="command").publish([event])
    return Found(**names, problem=problem)


def _unknown(wanted: Wanted) -> UserError:
    return UserError(
        "unknown_package",
        f"no archive here is known to have {', '.join(wanted.packages)}",
        "Give ids or file names of archived packages: chasqui explain shows them.",
    )


def _show_reports(reports: Sequence[ScrubReport], console: Console, *, as_json: bool) -> int:
    _show(reports, Group(*(_panel(one) for one in reports)), console, as_json=as_json)
    return 0 if all(one.is_well for one in reports) else 1


def _show_readings(found: Sequence[Reading], console: Console, *, as_json: bool) -> int:
    table = _table("package", "archive", "read", "found", "mended")
    for one in found:
        mended = f"{instant(one.repaired_at)} from {one.repaired_from}" if one.repaired_at else ""
        read = instant(one.read_at) if one.read_at else "never"
        table.add_row(one.name, one.location, read, _verdict(one.problem, one.unrepairable_at), mended)
    _show(found, table, console, as_json=as_json)
    return 1 if any(one.problem for one in found) else 0


def _show_found(found: Sequence[Found], console: Console, *, as_json: bool) -> int:
    table = _table("package", "archive", "found")
    for one in found:
        verdict = (
            Text(f"not read: {one.unread.reason} ({one.unread.code})", style="yellow")
            if one.unread
            else _verdict(one.problem, None)
        )
        table.add_row(one.name, one.location, verdict)
    _show(found, table, console, as_json=as_json)
    return 1 if any(one.problem or one.unread for one in found) else 0


def _show(models: Sequence[Message], shown: RenderableType, console: Console, *, as_json: bool) -> None:
    if as_json:
        text = json.dumps([one.model_dump(mode="json") for one in models])
        console.print(text, soft_wrap=True, markup=False, highlight=False)
    else:
        console.print(shown)


def _panel(one: ScrubReport) -> Panel:
    body: list[RenderableType] = [_facts(one)]
    if one.damages:
        body += [Text(), _damages(one.damages)]
    style = "red" if one.unrepairable else "yellow" if not one.is_well else "green"
    return Panel(Group(*body), title=f"[bold]{one.location}", title_align="left", border_style=style)


def _facts(one: ScrubReport) -> Table:
    table = Table.grid(padding=(0, 2))
    share = one.read_copies / one.copies if one.copies else 1.0
    period = duration(one.period_s)
    rows = [
        ("holds", f"{one.copies} copies, {size(one.size)}"),
        ("read", f"{one.coverage:.1%} of the bytes and {share:.1%} of the copies within {period}"),
        ("longest unread", duration(one.unread_s) or "nothing is there"),
        ("overdue", str(one.overdue)),
        (
            "rate",
            f"{size(one.rate)}/s allowed, {size(one.needed_rate)}/s needed" if one.active else "not scrubbed",
        ),
        (
            "damaged",
            f"{one.damaged}, {one.unrepairable} of them without a good copy; {one.repaired} mended so far",
        ),
    ]
    if one.never_read:
        rows.insert(3, ("never read", f"{one.never_read} copies, proven by the server's word alone"))
    for name, value in rows:
        table.add_row(Text(name, style="dim"), value)
    return table


def _damages(damages: Sequence[Damage]) -> Table:
    table = _table("package", "found", "since")
    for one in damages:
        table.add_row(one.name, _verdict(one.problem, one.unrepairable_at), instant(one.found_at))
    return table


def _verdict(problem: Problem | None, unrepairable_at: datetime | None) -> Text:
    if problem is None:
        return Text("whole", style="green")
    state = "no good copy to mend it with" if unrepairable_at else "to be mended by itself"
    return Text(
        f"{problem.reason} ({problem.code}); {state}", style="bold red" if unrepairable_at else "yellow"
    )


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold", header_style="dim")
    return table
