"""``chasqui catalog show``: what is registered, and what was spoken of and is not."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from commands.reaching import reached
from contracts.catalog.entry import Entry
from libs.catalog.registered import Name, Registered, registered
from libs.catalog.sections import SECTION_OF, SECTIONS, Listed
from libs.errors import UserError
from libs.opsdb.catalog import Shape
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from libs.sites.shape import nearest

_EXECUTED = """
    SELECT obs_unit AS name, count(*) AS n FROM executed_obs_unit e
    WHERE obs_unit IS NOT NULL AND EXISTS (SELECT FROM obs_unit o WHERE o.name = e.obs_unit AND o.applied_at IS NULL)
    GROUP BY obs_unit
"""
"""Observations that were made of what is not registered."""


async def show(
    place: Place,
    section: str | None,
    *,
    as_yaml: bool = False,
    as_json: bool = False,
    console: Console | None = None,
) -> int:
    """Show the catalog as a site knows it.

    Args:
        place: The site.
        section: Only this section of the file.
        as_yaml: As a file that `apply` takes.
        as_json: One JSON object: sections as in the file, and ``waiting``.
        console: Where to show it.

    Returns:
        0.

    Raises:
        UserError: ``section_unknown``.
        Retriable: The site's servers are away.
    """
    console = console or Console()
    if section is not None and section not in SECTIONS:
        raise UserError(
            "section_unknown",
            f"there is no section {section!r}",
            f"{nearest(section, list(SECTIONS))}Sections: {', '.join(SECTIONS)}.",
        )
    async with reached(place) as sight:
        known = await registered(sight.opsdb)
        executed = await _executed(sight.opsdb)
    wanted = [section] if section else list(SECTIONS)
    document = {key: value for key, value in as_document(known).items() if key in wanted}
    if as_yaml:
        text = yaml.safe_dump({"version": 1, **document}, sort_keys=False, allow_unicode=True)
        console.print(text, soft_wrap=True, markup=False, highlight=False, end="")
    elif as_json:
        waiting = [_waits(name, executed) for name in sorted(known.waiting)]
        told = json.dumps({**document, "waiting": waiting})
        console.print(told, soft_wrap=True, markup=False, highlight=False)
    else:
        console.print(Group(*_render(document, known, executed, section)))
    return 0


def as_document(known: Registered) -> dict[str, dict[str, Any]]:
    """The catalog as a file has it: sections, then names; values that are left out are those that would be meant."""
    listed = {one.listed.shape.kind: (key, one.listed) for key, one in SECTIONS.items() if one.listed}
    found: dict[str, dict[str, Any]] = {}
    for (_, key), (shape, entry) in sorted(known.entries.items(), key=lambda item: item[0]):
        if shape.kind not in listed:
            place = found.setdefault(SECTION_OF[shape.kind], {})
            for name in key[:-1]:
                place = place.setdefault(name, {})
            place[key[-1]] = _fields(shape, entry)
    for (_, key), (shape, entry) in sorted(known.entries.items(), key=lambda item: item[0]):
        if shape.kind in listed and not entry.retired:
            _list(found, *listed[shape.kind], key)
    return {key: found[key] for key in SECTIONS if key in found}


def _list(found: dict[str, dict[str, Any]], section: str, listed: Listed, key: tuple[str, ...]) -> None:
    holder = found.get(section, {}).get(key[0])
    if holder is not None:
        holder.setdefault(listed.key, []).append(key[1])


def _fields(shape: Shape, entry: Entry) -> dict[str, Any]:
    defaults = shape.entry.model_fields
    return {
        name: value
        for name, value in entry.model_dump(mode="json").items()
        if name not in (*shape.key, "kind") and value != defaults[name].default
    }


async def _executed(opsdb: OpsDbReader) -> Mapping[str, int]:
    return {row["name"]: row["n"] for row in await opsdb.fetch(_EXECUTED)}


def _waits(name: Name, executed: Mapping[str, int]) -> dict[str, Any]:
    table, key = name
    made = {"executed": executed[key[0]]} if table == "obs_unit" and key[0] in executed else {}
    return {"table": table, "name": "/".join(key), **made}


def _render(
    document: Mapping[str, Any], known: Registered, executed: Mapping[str, int], section: str | None
) -> Iterator[RenderableType]:
    if section is None:
        yield _counts(document)
    else:
        yield _entries(document.get(section, {}))
    waiting = [_waits(name, executed) for name in sorted(known.waiting)]
    if waiting and section is None:
        yield Text("\nspoken of, and not registered:", style="yellow")
        for one in waiting:
            made = f", {one['executed']} observations of it were made" if "executed" in one else ""
            yield Text(f"  {one['table'].replace('_', ' ')} {one['name']}{made}")


def _counts(document: Mapping[str, Any]) -> RenderableType:
    if not document:
        return Text("nothing is registered: see docs/catalog.md")
    table = Table("section", "entries", "names", box=None, pad_edge=False, header_style="dim")
    for key, value in document.items():
        names = list(_names(value, len(SECTIONS[key].shape.key)))
        table.add_row(key, str(len(names)), Text(", ".join(names), overflow="ellipsis", no_wrap=True))
    return table


def _names(value: Mapping[str, Any], depth: int, before: str = "") -> Iterator[str]:
    for name, inner in value.items():
        if depth == 1:
            yield before + name
        else:
            yield from _names(inner, depth - 1, f"{before}{name}/")


def _entries(value: Mapping[str, Any]) -> RenderableType:
    if not value:
        return Text("nothing is registered there")
    text = yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True)
    return Text(text.rstrip("\n"))
