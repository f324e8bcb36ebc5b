"""``chasqui schema check-sddl``: whether our tables are what an SDDL description says."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from commands.reaching import places_of, reached
from libs.errors import UserError
from libs.sddl.comparing import Mismatch, mismatches
from libs.sddl.parsing import parse
from libs.sddl.relations import Relation
from libs.sddl.tables import table
from libs.sites.workdir import Workdir


async def check_sddl(
    workdir: Workdir, path: Path, *, site: str | None, as_json: bool, console: Console | None = None
) -> int:
    """Compare the relations of a description with the tables of a running site's ops-db.

    Returns:
        0; 1 if a table is not as described.

    Raises:
        UserError: ``file_unreadable``, ``sddl_malformed``, ``no_relations``, or nothing runs there.
        Retriable: The ops-db is away.
    """
    relations = read(path)
    async with reached(places_of(workdir, site)[0]) as sight:
        found = {one.name: mismatches(one, await table(sight.opsdb, one.name.lower())) for one in relations}
    tell(relations, found, as_json=as_json, console=console or Console())
    return 1 if any(found.values()) else 0


def read(path: Path) -> tuple[Relation, ...]:
    """The relations that a file describes.

    Raises:
        UserError: ``file_unreadable``, ``no_relations``, or as `parse`.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("file_unreadable", f"{path} cannot be read: {error}", "Name a text file.") from error
    relations = parse(text)
    if not relations:
        raise UserError(
            "no_relations",
            f"{path.name} describes no relation",
            "Give a file with a RELATION … END_RELATION.",
        )
    return relations


def tell(
    relations: Sequence[Relation],
    found: dict[str, Sequence[Mismatch]],
    *,
    as_json: bool,
    console: Console,
) -> None:
    """What was compared, and where it differs."""
    if as_json:
        told = [
            {
                "relation": one.name,
                "fields": len(one.fields),
                "indexes": len(one.indexes),
                "mismatches": [asdict(each) for each in found[one.name]],
            }
            for one in relations
        ]
        print(json.dumps(told))
        return
    for one in relations:
        wrong = found[one.name]
        if not wrong:
            what = f"{one.name} has its {len(one.fields)} fields, their types, and its {len(one.indexes)} indexes"
            console.print(Text(what, "green"))
            continue
        rows = Table("where", "described", "found", title=Text(one.name), title_justify="left")
        for each in wrong:
            rows.add_row(*map(Text, (each.where, each.wanted, each.found)))
        console.print(rows)
