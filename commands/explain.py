"""``chasqui explain ID``: what it is, where it is, why, what it waits for, and what happened to it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from commands.reaching import places_of, reached
from commands.wording import duration, instant
from contracts.association_ids import is_association_id
from libs.errors import UserError
from libs.insight.explain import Copy, Explanation, Step
from libs.insight.explain import explain as explain_id
from libs.insight.members import Member
from libs.insight.obstacles import Obstacle, ObstacleKind
from libs.insight.waiting import Waiting
from libs.service.service import Place
from libs.sites.workdir import Workdir


async def explain(
    workdir: Workdir,
    wanted: str,
    *,
    site: str | None = None,
    as_json: bool = False,
    console: Console | None = None,
) -> int:
    """Explain one id, as the site sees it where the next step is taken, or the first one that knows it.

    Args:
        workdir: Where an `up` runs.
        wanted: The id of an observation, file, package, bundle, transfer, staging job, copy or association, or the
            uid of a task, asset or camera.
        site: Ask this site only.
        as_json: One JSON object in the place of a panel.
        console: Where to show it.

    Returns:
        0.

    Raises:
        UserError: Nothing runs there, ``id_invalid``, or ``unknown_id``.
        Retriable: A site's servers are away.
    """
    console = console or Console()
    found_at, found = await find(places_of(workdir, site), read_wanted(wanted))
    if as_json:
        console.print(found.model_dump_json(), soft_wrap=True, markup=False, highlight=False)
    else:
        console.print(render(found, found_at))
    return 0


def read_wanted(text: str) -> UUID | str:
    """An id as somebody typed it; an association's in upper case.

    Raises:
        UserError: ``id_invalid``.
    """
    return text.strip().upper() if is_association_id(text.strip()) else read_id(text)


def read_id(text: str) -> UUID:
    """An id as somebody typed it.

    Raises:
        UserError: ``id_invalid``.
    """
    try:
        return UUID(text.strip())
    except ValueError as error:
        raise UserError(
            "id_invalid",
            f"{text[:80]!r} is no id",
            "Give a UUID, as status, the page and the logs show them.",
        ) from error


async def find(places: Sequence[Place], wanted: UUID | str) -> tuple[str, Explanation]:
    """A site that knows an id, and what it says: the one where the next step is taken, if that is among them.

    Raises:
        UserError: ``unknown_id``: none does.
        Retriable: A site's servers are away.
    """
    unknown: UserError | None = None
    found: tuple[str, Explanation] | None = None
    for place in places:
        if found is not None and place.site != found[1].waiting.at:
            continue
        async with reached(place) as site:
            try:
                found = place.site, await explain_id(site, wanted)
            except UserError as error:
                unknown = error
    if found is not None:
        return found
    raise unknown or UserError("unknown_id", f"nothing here has the id {wanted}", "Start a site first.")


def render(found: Explanation, site: str) -> RenderableType:
    """An explanation for a person."""
    parts: list[RenderableType] = [
        Text.assemble(("state    ", "dim"), (found.state.replace("_", " "), "bold")),
        Text.assemble(("waits    ", "dim"), found.waiting.now, (_since(found.waiting), "dim")),
        Text.assemble(("then     ", "dim"), found.waiting.next, (_when(found.waiting), "dim")),
    ]
    if found.waiting.remedy:
        parts.append(Text.assemble(("remedy   ", "dim"), (found.waiting.remedy, "yellow")))
    if found.problem:
        parts.append(
            Text.assemble(
                ("problem  ", "dim"), (f"{found.problem.reason} ({found.problem.code})", "bold red")
            )
        )
    parts += [_obstacle(each) for each in found.obstacles]
    for what, ids in found.related.items():
        parts.append(Text.assemble((f"{what:<8} ", "dim"), ", ".join(str(one) for one in ids)))
    if found.members:
        parts += [Text(), _members(found.members)]
    if found.copies:
        parts += [Text(), _copies(found.copies)]
    if found.timeline:
        parts += [Text(), _timeline(found.timeline)]
    title = Text(f"{found.kind.replace('_', ' ')} {found.name}", style="bold")
    return Panel(
        Group(*parts), title=title, title_align="left", subtitle=Text(f"{found.id} as {site} sees it")
    )


def _since(waiting: Waiting) -> str:
    """Since when, and who acts next."""
    since = ""
    if waiting.since is not None:
        waited = max(0.0, (datetime.now(UTC) - waiting.since).total_seconds())
        since = f"  since {instant(waiting.since)} ({duration(waited)})"
    where = f"@{waiting.at}" if waiting.at else ""
    return f"{since}  by {waiting.by}{where}" if waiting.by else since


def _when(waiting: Waiting) -> str:
    return f"  {instant(waiting.next_at)} at the latest" if waiting.next_at else ""


def _obstacle(one: Obstacle) -> Text:
    style = "dim" if one.kind is ObstacleKind.QUEUE else "bold red"
    text = Text.assemble((f"{one.kind.value.replace('_', ' '):<9}", "dim"), (one.problem.reason, style))
    if one.since is not None:
        text.append(f"  since {instant(one.since)}", "dim")
    if one.next_at is not None:
        text.append(f"  tried again {instant(one.next_at)}", "dim")
    if one.kind is not ObstacleKind.QUEUE:
        text.append(f"\n         {one.problem.remedy}", "yellow")
    return text


def _copies(copies: Sequence[Copy]) -> Table:
    table = _table("where", "path", "state", "since", "stays because")
    for copy in copies:
        why = copy.stays_because.reason if copy.stays_because else ""
        table.add_row(*map(Text, (copy.location, copy.path, copy.state, instant(copy.since), why)))
    return table


def _members(members: Sequence[Member]) -> Table:
    table = _table("member", "type", "status", "since", "missing because", "observation or data set")
    for one in members:
        status = f"{one.member_status} {one.product_status}"
        what = one.observation or one.data_set
        cells = (one.name, one.type, status, instant(one.since), one.missing, str(what or ""))
        table.add_row(*map(Text, cells))
    return table


def _timeline(steps: Sequence[Step]) -> Table:
    table = _table("when", "after", "site", "service", "event")
    for step in steps:
        event = step.event.removeprefix("chasqui.") + (f" × {step.times}" if step.times > 1 else "")
        cells = (instant(step.at), duration(step.after_s), step.site, step.service, event)
        table.add_row(*map(Text, cells))
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold", header_style="dim")
    return table
