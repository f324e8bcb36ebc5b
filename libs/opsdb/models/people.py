"""Who may do what. No secret is here: of a token there is the digest alone."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from libs.opsdb.models.base import Base, Registered, TableArguments


class User(Registered, Base):
    """A person or a machine.

    Attributes:
        external_id: Its name at the identity provider.
    """

    __tablename__ = "user"
    __table_args__: TableArguments = (Index(None, "external_id"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    full_name: Mapped[str | None]
    email: Mapped[str | None]
    external_id: Mapped[str | None]


class Role(Registered, Base):
    """A set of permissions; a retired one gives none."""

    __tablename__ = "role"

    name: Mapped[str] = mapped_column(primary_key=True)
    description: Mapped[str | None]


class RolePermission(Registered, Base):
    """Whether a role has a permission; retired, it has it no more.

    Attributes:
        permission: ``action:resource``; the resource ``*`` is all of them.
    """

    __tablename__ = "role_permission"

    role: Mapped[str] = mapped_column(ForeignKey("role.name"), primary_key=True)
    permission: Mapped[str] = mapped_column(primary_key=True)


class UserRole(Registered, Base):
    """Whether a user has a role; retired, no more."""

    __tablename__ = "user_role"
    __table_args__: TableArguments = (Index(None, "role"),)

    user_name: Mapped[str] = mapped_column(ForeignKey("user.name"), primary_key=True)
    role: Mapped[str] = mapped_column(ForeignKey("role.name"), primary_key=True)


class ApiToken(Base):
    """A token by which a program is known; the token itself was shown once and is kept nowhere.

    Attributes:
        name: What it is for.
        sha256: Hex digest of the token.
        scopes: What it may be used for: permissions, at most those of its user.
        expires_at: From then on it is refused; null for never.
        revoked_at: Since when it is refused; null while it is not. The first revocation counts.
        use_count: How many times it was used at all sites; see `ApiTokenUse`. So is `last_used_at` when last, and
            `last_address` from where.
    """

    __tablename__ = "api_token"
    __table_args__: TableArguments = (
        Index(None, "user_name"),
        Index(None, "sha256"),
        CheckConstraint("use_count >= 0", "use_count"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_name: Mapped[str | None] = mapped_column(ForeignKey("user.name"))
    name: Mapped[str | None]
    sha256: Mapped[str | None]
    scopes: Mapped[list[str] | None]
    issued_at: Mapped[datetime | None]
    issued_by: Mapped[str | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    use_count: Mapped[int | None]
    last_used_at: Mapped[datetime | None]
    last_address: Mapped[str | None]


class ApiTokenUse(Base):
    """The uses of a token at one site, as its gateway counts them.

    Attributes:
        uses: How many there were at this site.
        last_used_at: When the last one was.
        last_address: The network address of the last one.
    """

    __tablename__ = "api_token_use"
    __table_args__: TableArguments = (CheckConstraint("uses > 0", "uses"),)

    api_token_id: Mapped[UUID] = mapped_column(ForeignKey("api_token.id"), primary_key=True)
    site: Mapped[str] = mapped_column(primary_key=True)
    uses: Mapped[int | None]
    last_used_at: Mapped[datetime | None]
    last_address: Mapped[str | None]
