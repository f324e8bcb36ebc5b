"""The sections of a catalog file: which kind of entry stands below which key, and how deep."""

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.catalog.people import RolePermissionEntry, UserRoleEntry
from libs.opsdb.catalog import SHAPE_OF, SHAPES, Shape

_PLURALS = {"observatory": "observatories"}


@dataclass(frozen=True, slots=True)
class Listed:
    """Entries that stand as a list within another one: what is not in the list any more is retired.

    Attributes:
        key: Of the list.
        shape: Of the entries; the first field of their key is the name of the entry that has the list.
    """

    key: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Section:
    """A key at the top of the file.

    Attributes:
        key: As it is written.
        shape: Of the entries below it: by name or, where the key has two fields, by parent and name.
        listed: The list within each entry, if there is one.
    """

    key: str
    shape: Shape
    listed: Listed | None = None


_PERMISSIONS = SHAPE_OF[RolePermissionEntry]
_ROLES = SHAPE_OF[UserRoleEntry]
_LISTED = {"role": Listed("permissions", _PERMISSIONS), "user": Listed("roles", _ROLES)}

SECTIONS: Mapping[str, Section] = {
    key: Section(key, shape, _LISTED.get(shape.kind))
    for shape in SHAPES
    if shape not in (_PERMISSIONS, _ROLES)
    for key in [_PLURALS.get(shape.kind, f"{shape.kind}s")]
}
"""By key, each after those that it may refer to."""

SECTION_OF: Mapping[str, str] = {section.shape.kind: section.key for section in SECTIONS.values()}
"""By kind of entry, where it stands."""
