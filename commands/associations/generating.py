"""``chasqui association generate``: associations from the exposures that were filed, and rules."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic_core import from_json
from rich.console import Console
from rich.table import Table
from rich.text import Text

from commands.associations.changing import Manner
from commands.associations.desk import Desk, after, me, opened, planning_place
from contracts.associations import AssociationEvent, ExposureMember
from libs.associations.planning import Plan
from libs.associations.planning import plan as begin
from libs.associations.pools import Existing, Generated, PoolExposure, generate
from libs.associations.rules import read_rules
from libs.associations.saying import World
from libs.sites.workdir import Workdir

# The first observation of an exposure that was not aborted stands for it.
_POOL = """
SELECT DISTINCT ON (e.program_id, e.obset_id, e.member_num)
       e.exposure_name, e.program_id, e.obset_id, e.member_num, e.member_type, u.instrument, u.obs_unit,
       u.observing_program, u.obs_mode, u.target_name, u.conditions
FROM asn_exposure e JOIN executed_obs_unit u ON u.id = e.executed_obs_unit_id
WHERE u.site = $1 AND u.state <> 'aborted' AND ($2::text IS NULL OR e.program_id = $2)
ORDER BY e.program_id, e.obset_id, e.member_num, e.named_at, e.executed_obs_unit_id
"""

_EXISTING = """
SELECT association_id, array_agg(program_id || obset_id || member_num ORDER BY 1)
       FILTER (WHERE member_status <> 'P') AS exposures
FROM asn_members GROUP BY association_id
"""

_ATTRIBUTES = ("instrument", "obs_unit", "observing_program", "obs_mode", "target_name")


async def run(
    workdir: Workdir,
    rules: Path,
    program: str | None,
    within: str | None,
    manner: Manner,
    console: Console | None = None,
) -> int:
    """Plan what rules find in the exposures that were filed at a site.

    Returns:
        0.

    Raises:
        UserError: ``rules_invalid``, or what a plan is refused for.
        Retriable: The site's servers are away; what was planned by then stays planned.
    """
    chosen = read_rules(rules)
    async with opened(planning_place(workdir, manner.site)) as desk:
        found = generate(await pool(desk, program), chosen, await existing(desk))
        deadline = after(within, desk.deadline)
        if not manner.dry_run:
            begun = [wanted for wanted in found.plans if await _begins(desk, wanted, deadline)]
            found = replace(found, plans=tuple(begun))
    tell(found, manner, console or Console())
    return 0


async def pool(desk: Desk, program: str | None) -> list[PoolExposure]:
    """The exposures that were filed at a site."""
    wanted = program.upper() if program else None
    return [_exposure(dict(row)) for row in await desk.sight.opsdb.fetch(_POOL, desk.place.site, wanted)]


def _exposure(row: Mapping[str, Any]) -> PoolExposure:
    conditions = from_json(row["conditions"] or "{}")
    said = {name: str(value) for name, value in conditions.items() if isinstance(value, str | int | float)}
    member = ExposureMember.model_validate(
        {name: row[name] for name in ("program_id", "obset_id", "member_num", "member_type")}
    )
    own = {name: str(row[name]) for name in _ATTRIBUTES if row[name] is not None}
    names = {"program_id": member.program_id, "obset_id": member.obset_id, "member_type": member.member_type}
    return PoolExposure(row["exposure_name"][0], member, {**said, **own, **names})


async def existing(desk: Desk) -> list[Existing]:
    """The associations that there are."""
    return [
        Existing(row["association_id"], frozenset(row["exposures"] or ()))
        for row in await desk.sight.opsdb.fetch(_EXISTING)
    ]


async def _begins(desk: Desk, wanted: Plan, deadline: datetime) -> bool:
    """Whether it was begun; not if somebody else took its number meanwhile: the next run finds another.

    Raises:
        UserError: What the plan is refused for.
        Retriable: The site's servers are away.
    """

    def decide(world: World) -> AssociationEvent | None:
        if world.known is not None:
            return None
        return begin(replace(wanted, deadline=deadline), me(f"rule {wanted.rule}"))

    return await desk.associations.say(wanted.association_id, decide) is not None


def tell(found: Generated, manner: Manner, console: Console) -> None:
    """What became of the pool."""
    if manner.as_json:
        print(json.dumps({**as_json(found), "dry_run": manner.dry_run}))
        return
    words = "would be planned" if manner.dry_run else "planned"
    console.print(Text(f"{len(found.plans)} associations {words}"))
    console.print(_table(found.plans))
    for claim in found.claims:
        what = f"rule {claim.rule} claims what {claim.kept} has: {', '.join(claim.exposures)}"
        console.print(Text(what, "yellow"))
    for rule, count in found.too_few.items():
        console.print(Text(f"rule {rule} found {count} groups that are too small for it", "dim"))
    orphans = ", ".join(found.orphans)
    console.print(Text(f"{len(found.orphans)} orphans{': ' if orphans else ''}{orphans}"))


def as_json(found: Generated) -> dict[str, object]:
    """The same for scripts."""
    return {
        "planned": [
            {
                "association_id": one.association_id,
                "rule": one.rule,
                "exposures": [member.key for member in one.exposures],
            }
            for one in found.plans
        ],
        "claimed_again": [
            {"rule": claim.rule, "kept": claim.kept, "exposures": list(claim.exposures)}
            for claim in found.claims
        ],
        "too_few": dict(found.too_few),
        "orphans": list(found.orphans),
    }


def _table(plans: Sequence[Plan]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("association", "rule", "exposures"):
        table.add_column(heading, overflow="fold", header_style="dim")
    for one in plans:
        keys = ", ".join(member.key for member in one.exposures)
        table.add_row(Text(one.association_id), Text(one.rule or ""), Text(keys))
    return table
