"""What a file would change."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.catalog.entry import Entry
from libs.catalog.reading import Contents
from libs.catalog.registered import Registered
from libs.opsdb.catalog import SHAPES, Shape


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field with another value."""

    field: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class EntryChange:
    """An entry that is new, or told with other values.

    Attributes:
        before: As it is registered; None if it is new.
        after: As it will be.
    """

    shape: Shape
    before: Entry | None
    after: Entry

    @property
    def name(self) -> str:
        """Of the entry, for people."""
        return "/".join(self.shape.key_of(self.after))

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        """What differs; for a new one, all that is said."""
        named = (*self.shape.key, "kind")
        if self.before is None:
            said = ((name, value) for name, value in self.after if name not in named)
            defaults = self.shape.entry.model_fields
            return tuple(FieldChange(n, None, v) for n, v in said if v != defaults[n].default)
        return tuple(
            FieldChange(name, getattr(self.before, name), value)
            for name, value in self.after
            if value != getattr(self.before, name)
        )


def differences(found: Contents, known: Registered) -> list[EntryChange]:
    """What is to be told, each entry after those that it refers to; what is registered so already is left out."""
    wanted = {one.name: (one.shape, one.entry) for one in found.entries}
    for name, (shape, entry) in known.entries.items():
        listed = (shape, shape.key_of(entry)[0]) in found.listing
        if listed and name not in wanted and not entry.retired:
            wanted[name] = shape, entry.model_copy(update={"retired": True})
    changes = [
        EntryChange(shape, known.entries[name][1] if name in known.entries else None, entry)
        for name, (shape, entry) in wanted.items()
    ]
    order = {shape.kind: n for n, shape in enumerate(SHAPES)}
    changed = [change for change in changes if change.before != change.after]
    return sorted(changed, key=lambda change: (order[change.shape.kind], change.name))


def unchanged(found: Contents, changes: Sequence[EntryChange]) -> int:
    """How many entries of the file are registered just so."""
    told = {(c.shape.table, c.shape.key_of(c.after)) for c in changes}
    return sum(one.name not in told for one in found.entries)
