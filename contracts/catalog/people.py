"""Who may do what."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from contracts.catalog.entry import CatalogName, Entry, Text

PermissionName = Annotated[
    str, StringConstraints(pattern=r"^([a-z][a-z_-]{0,62}|\*):([a-z][a-z_-]{0,62}|\*)$")
]
"""``action:resource``, such as ``read:observations``; ``*`` is all of them, in either place."""


class UserEntry(Entry):
    """A person or a machine. No secret is ever part of it.

    Attributes:
        external_id: Its name at the identity provider.
    """

    kind: Literal["user"] = "user"
    name: CatalogName
    full_name: Text = ""
    email: Text | None = None
    external_id: Text | None = None


class RoleEntry(Entry):
    """A set of permissions; a retired one gives none."""

    kind: Literal["role"] = "role"
    name: CatalogName
    description: Text = ""


class RolePermissionEntry(Entry):
    """Whether a role has a permission; retired, it has it no more."""

    kind: Literal["role_permission"] = "role_permission"
    role: CatalogName
    permission: PermissionName


class UserRoleEntry(Entry):
    """Whether a user has a role; retired, no more."""

    kind: Literal["user_role"] = "user_role"
    user_name: CatalogName
    role: CatalogName
