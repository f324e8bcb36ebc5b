"""Tokens by which programs are known. A token itself is shown once and never told: only its digest is."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from contracts.base import Event, Sha256, Utc
from contracts.catalog.entry import CatalogName
from contracts.catalog.people import PermissionName

TokenName = Annotated[str, StringConstraints(min_length=1, max_length=250, pattern=r"^[^\x00-\x1f\x7f]+$")]


class TokenIssued(Event):
    """Somebody was given a token.

    Attributes:
        sha256: Of the token, which is too random to be found by it.
        scopes: What it may be used for, at most what its user may.
        expires_at: From then on it is refused; None for never.
        issued_by: Who asked for it.
    """

    entity = "token"
    fact = "issued"

    token_id: UUID
    user_name: CatalogName
    name: TokenName
    sha256: Sha256
    scopes: tuple[PermissionName, ...]
    issued_at: Utc
    issued_by: str = Field(min_length=1, max_length=250)
    expires_at: Utc | None = None

    def identity(self) -> tuple[object, ...]:
        return (self.token_id,)

    def about(self) -> UUID:
        return self.token_id


class TokenRevoked(Event):
    """A token is refused from now on."""

    entity = "token"
    fact = "revoked"

    token_id: UUID
    revoked_at: Utc
    revoked_by: str = Field(min_length=1, max_length=250)
    reason: str = Field(default="", max_length=1000)

    def identity(self) -> tuple[object, ...]:
        return (self.token_id, self.revoked_at)

    def about(self) -> UUID:
        return self.token_id


class TokenUsed(Event):
    """A token was used at a site; told now and then, not at each use.

    Attributes:
        uses: How many times it was ever used at this site.
        last_address: The network address of the last use.
    """

    entity = "token"
    fact = "used"

    token_id: UUID
    uses: int = Field(ge=1, le=2**53)
    last_used_at: Utc
    last_address: str = Field(max_length=100)

    def identity(self) -> tuple[object, ...]:
        return (self.token_id, self.uses)

    def about(self) -> UUID:
        return self.token_id
