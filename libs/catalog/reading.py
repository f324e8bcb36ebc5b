"""From a catalog file to its entries, or to everything that is wrong with its form."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from contracts.catalog.entry import Entry
from libs.catalog.sections import SECTIONS, Listed, Section
from libs.opsdb.catalog import Shape
from libs.sites.document import Document
from libs.sites.findings import Issue, KeyPath, Part, error
from libs.sites.shape import issue_of, nearest, shown

VERSION = 1


@dataclass(frozen=True, slots=True)
class Located:
    """An entry, and where it stands in the file."""

    shape: Shape
    entry: Entry
    path: KeyPath

    @property
    def name(self) -> tuple[str, tuple[str, ...]]:
        """What no two entries may have in common: the table and the key."""
        return self.shape.table, self.shape.key_of(self.entry)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file says.

    Attributes:
        listing: Lists that are whole: by kind, the names whose other entries of that kind are to be retired.
        issues: What is wrong with its form; entries with issues are left out.
    """

    entries: list[Located] = field(default_factory=list)
    listing: set[tuple[Shape, str]] = field(default_factory=set)
    issues: list[Issue] = field(default_factory=list)


def contents(document: Document) -> Contents:
    """Read the sections of a parsed file."""
    found = Contents(issues=list(document.issues))
    data = document.data
    if not isinstance(data, dict):
        if not found.issues:
            remedy = "Begin with version: 1, then sections such as observatories:."
            found.issues.append(error((), "not_a_mapping", "the file holds no keys and values", remedy))
        return found
    if data.get("version") != VERSION:
        remedy = f"Write version: {VERSION} at the top of the file."
        path: KeyPath = ("version",) if "version" in data else ()
        reason = f"the version of the file's format is {shown(data.get('version'))}"
        found.issues.append(error(path, "version_unknown", reason, remedy))
    for key, value in data.items():
        if key == "version":
            continue
        section = SECTIONS.get(key)
        if section is None:
            remedy = f"{nearest(key, list(SECTIONS))}Sections: {', '.join(SECTIONS)}."
            found.issues.append(
                error((key,), "section_unknown", f"there is no section {key!r}", remedy, Part.KEY)
            )
        else:
            _read_section(found, section, value)
    return found


def _read_section(found: Contents, section: Section, value: object) -> None:
    for path, names, fields in _members(found, (section.key,), value, len(section.shape.key)):
        own = dict(fields)
        listed = own.pop(section.listed.key, None) if section.listed else None
        _add(found, section.shape, path, names, own)
        if section.listed is not None and listed is not None:
            _read_list(found, section.listed, path, names[0], listed)


def _members(
    found: Contents, path: KeyPath, value: object, depth: int, names: tuple[str, ...] = ()
) -> Iterator[tuple[KeyPath, tuple[str, ...], Mapping[str, Any]]]:
    """Go down as many names as the key has fields."""
    if value is None:
        value = {}
    if not isinstance(value, dict):
        reason = f"expected {'fields' if depth == 0 else 'names'} with values, found {shown(value)}"
        found.issues.append(
            error(path, "type_wrong", reason, "Write keys and values; docs/catalog.md shows how.")
        )
    elif depth == 0:
        yield path, names, value
    else:
        for name, inner in value.items():
            yield from _members(found, (*path, name), inner, depth - 1, (*names, name))


def _read_list(found: Contents, what: Listed, path: KeyPath, name: str, listed: object) -> None:
    here = (*path, what.key)
    if not isinstance(listed, list):
        reason = f"expected a list, found {shown(listed)}"
        found.issues.append(error(here, "type_wrong", reason, "Write a list; an empty one takes all away."))
        return
    found.listing.add((what.shape, name))
    for n, item in enumerate(listed):
        _add(found, what.shape, (*here, n), (name, item), {})


def _add(
    found: Contents, shape: Shape, path: KeyPath, names: tuple[object, ...], fields: Mapping[str, Any]
) -> None:
    taken = [name for name in (*shape.key, "kind") if name in fields]
    for name in taken:
        remedy = "Leave it out: the keys above say it."
        found.issues.append(
            error((*path, name), "key_unknown", f"{name!r} stands here again", remedy, Part.KEY)
        )
    if taken:
        return
    try:
        entry = shape.entry.model_validate({**fields, **dict(zip(shape.key, names, strict=True))})
    except ValidationError as wrong:
        found.issues.extend(_issue(shape, path, one) for one in wrong.errors(include_url=False))
    else:
        found.entries.append(Located(shape, entry, path))


def _issue(shape: Shape, path: KeyPath, details: ErrorDetails) -> Issue:
    where, kind = details["loc"], details["type"]
    here = (*path, *where)
    if where and where[0] in shape.key:
        reason = f"{shown(details['input'])} is no {where[0].replace('_', ' ') if isinstance(where[0], str) else 'name'}"
        remedy = "docs/catalog.md says how names of this kind are written."
        return error(path, "name_invalid", reason, remedy, Part.KEY)
    match kind:
        case "extra_forbidden":
            fields = [name for name in shape.entry.model_fields if name not in (*shape.key, "kind")]
            remedy = f"{nearest(where[-1], fields)}Fields that may stand here: {', '.join(fields)}."
            return error(here, "key_unknown", f"the field {str(where[-1])!r} is unknown", remedy, Part.KEY)
        case "string_pattern_mismatch" | "string_too_long" | "string_too_short":
            reason = f"{shown(details['input'])} will not do: {details['msg'].lower()}"
            return error(here, "value_invalid", reason, "docs/catalog.md says how it is written.")
        case _:
            return issue_of({**details, "loc": here})
