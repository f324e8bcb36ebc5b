"""``chasqui association list`` and ``show``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from commands.associations.desk import opened, owning, read_name
from commands.reaching import places_of
from commands.wording import instant
from contracts.association_ids import product_name
from contracts.association_states import AssociationState
from libs.associations.association import Association
from libs.associations.documents import to_json
from libs.errors import UserError
from libs.sites.workdir import Workdir

_LIST = """
SELECT a.association_id, a.site, a.state::text AS state, a.revision, a.origin::text AS origin, a.rule, a.expected,
       a.deadline, a.opened_at, a.collected_at, a.collection_reason::text AS collection_reason, a.problem_reason,
       count(*) FILTER (WHERE m.member_status <> 'P') AS exposures,
       count(*) FILTER (WHERE m.arrived_at IS NOT NULL) AS here,
       count(*) FILTER (WHERE m.member_status = 'O') AS orphans,
       count(*) FILTER (WHERE m.member_status = 'P') AS products,
       count(*) FILTER (WHERE m.member_status = 'P' AND m.product_status = 'C') AS made
FROM asn_association a LEFT JOIN asn_members m USING (association_id)
WHERE ($1::text IS NULL OR a.state = $1::association_state)
  AND ($2::text IS NULL OR substr(a.association_id, 2, 3) = $2)
GROUP BY a.association_id ORDER BY a.opened_at DESC, a.association_id LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Sought:
    """Which associations are listed."""

    state: str | None = None
    program: str | None = None
    limit: int = 100

    def arguments(self) -> tuple[str | None, str | None, int]:
        """What the query is asked.

        Raises:
            UserError: ``state_unknown``.
        """
        if self.state is not None and self.state not in list(AssociationState):
            raise UserError(
                "state_unknown",
                f"no association is {self.state!r}",
                f"Choose from {', '.join(AssociationState)}.",
            )
        return self.state, self.program.upper() if self.program else None, self.limit


async def show_list(
    workdir: Workdir, sought: Sought, *, site: str | None, as_json: bool, console: Console | None = None
) -> int:
    """List associations, the latest opened first, as a site knows them.

    Returns:
        0.

    Raises:
        UserError: Nothing runs there, or ``state_unknown``.
        Retriable: The site's servers are away.
    """
    arguments, console = sought.arguments(), console or Console()
    async with opened(places_of(workdir, site)[0]) as desk:
        rows = [dict(row) for row in await desk.sight.opsdb.fetch(_LIST, *arguments)]
    if as_json:
        print(json.dumps(rows, default=lambda value: value.isoformat()))
    else:
        console.print(_list(rows))
    return 0


def _list(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    if not rows:
        return Text("there is no such association")
    table = _table("association", "state", "rev", "exposures", "orphans", "products", "since", "next", "site")
    for row in rows:
        is_open = row["state"] == AssociationState.OPEN
        cells = (
            row["association_id"],
            row["state"],
            str(row["revision"]),
            f"{row['here']}/{row['expected'] or '?'}",
            str(row["orphans"]),
            f"{row['made']}/{row['products']}",
            instant(row["opened_at"] if is_open else row["collected_at"]),
            f"deadline {instant(row['deadline'])}" if is_open and row["deadline"] else "",
            row["site"],
        )
        table.add_row(*map(Text, cells))
    return table


async def show(
    workdir: Workdir, name: str, *, site: str | None, as_json: bool, console: Console | None = None
) -> int:
    """Show an association with its members.

    Returns:
        0.

    Raises:
        UserError: ``association_unknown``, or as `owner_of`.
        Retriable: The site's servers are away.
    """
    console, wanted = console or Console(), read_name(name)
    async with owning(workdir, wanted, site) as desk:
        known = await desk.known(wanted)
    if as_json:
        print(json.dumps(json.loads(to_json(known))))
    else:
        console.print(render(known))
    return 0


def render(known: Association) -> RenderableType:
    """An association for a person."""
    head = known.head
    lines = [
        Text(
            f"{head.state.value}, revision {head.revision}, opened {instant(head.opening.at)} by {head.opening.actor}: {head.opening.reason}"
        ),
        Text(f"{len(known.here)} of {head.expected or 'an unknown number of'} exposures are there", "dim"),
    ]
    if head.collection is not None:
        done = head.collection
        lines.append(
            Text(f"collected {instant(done.at)} by {done.actor}: {done.reason.value}, {done.missing} missing")
        )
    elif head.deadline is not None:
        lines.append(Text(f"deadline {instant(head.deadline)}"))
    if head.problem is not None:
        lines.append(Text(f"{head.problem.reason}. {head.problem.remedy}", "yellow"))
    table = _table(
        "member", "type", "member_status", "product_status", "arrived or made", "observation or data set"
    )
    for one in sorted(known.exposures.values(), key=lambda one: one.key):
        cells = (f"{known.id[0]}{one.key}", one.member_type, one.member_status.value, "E")
        table.add_row(*cells, instant(one.arrived_at), str(one.executed_obs_unit_id or ""))
    for product in sorted(known.products.values(), key=lambda one: one.product_id):
        name = product_name(known.id, product.product_id)
        cells = (name, product.member_type, "P", product.product_status.value)
        table.add_row(*cells, instant(product.made_at), str(product.dataset or ""))
    return Panel(Group(*lines, Text(), table), title=Text(f"association {known.id}"), title_align="left")


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold", header_style="dim")
    return table
