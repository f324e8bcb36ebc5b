"""Whether the entries of a file make sense, with each other and with what is registered."""

from collections.abc import Iterator, Mapping, Sequence

from libs.catalog.reading import Located
from libs.catalog.registered import Name, Registered
from libs.catalog.sections import SECTION_OF
from libs.opsdb.catalog import SHAPES, Reference
from libs.sites.findings import Issue, Part, dotted, error, warning
from libs.sites.shape import nearest


def check(entries: Sequence[Located], known: Registered) -> Iterator[Issue]:
    """Names that stand twice or change their kind, and references to nothing."""
    named: dict[Name, Located] = {}
    for one in entries:
        first = named.setdefault(one.name, one)
        if first is not one:
            reason = f"{'/'.join(one.name[1])!r} stands in {dotted(first.path[:1])} already"
            yield error(one.path, "name_twice", reason, "Give one of the two another name.", Part.KEY)
        yield from _same_kind(one, known)
    there = known.there | {name for one in entries for name in _names(one)}
    retired = {name for name, (_, entry) in known.entries.items() if entry.retired} - named.keys()
    retired |= {name for name, one in named.items() if one.entry.retired}
    for one in entries:
        for reference in one.shape.refers:
            yield from _refers(one, reference, there, retired)


def _names(one: Located) -> Iterator[Name]:
    yield one.name
    if one.shape.subtype is not None:
        yield one.shape.subtype, one.name[1]


def _same_kind(one: Located, known: Registered) -> Iterator[Issue]:
    before = known.entries.get(one.name)
    if before is not None and before[0] is not one.shape:
        yield error(
            one.path,
            "kind_differs",
            f"{one.name[1][0]!r} is registered among the {SECTION_OF[before[0].kind]}",
            "Give this one another name, and retire that one if it was a mistake.",
            Part.KEY,
        )


def _refers(one: Located, reference: Reference, there: set[Name], retired: set[Name]) -> Iterator[Issue]:
    values = tuple(getattr(one.entry, field) for field in reference.fields)
    if None in values:
        return
    table = reference.tables[-1]
    last = reference.fields[-1]
    path = one.path if last in one.shape.key else (*one.path, last)
    part = Part.KEY if last in one.shape.key else Part.VALUE
    what = table.replace("_", " ")
    name = "/".join(values)
    if (table, values) not in there:
        known = ["/".join(key) for one_table, key in sorted(there) if one_table == table]
        remedy = f"{nearest(name, known)}Add it below {_SECTIONS[table]}: in this file, or register it first."
        yield error(path, "parent_unknown", f"no {what} is called {name!r}", remedy, part)
    elif (table, values) in retired and not one.entry.retired:
        remedy = "Refer to another one, or retire this one, too."
        yield warning(path, "parent_retired", f"the {what} {name!r} is retired", remedy, part)


def _sections() -> Mapping[str, str]:
    found: dict[str, list[str]] = {}
    for shape in SHAPES:
        if shape.kind in SECTION_OF:
            for table in filter(None, (shape.table, shape.subtype)):
                found.setdefault(table, []).append(SECTION_OF[shape.kind])
    return {table: " or ".join(keys) for table, keys in found.items()}


_SECTIONS = _sections()
"""By table, below which keys its rows are written."""
