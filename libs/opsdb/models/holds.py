"""What keeps copies from deletion."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from contracts.states import HoldKind
from libs.opsdb.models.base import Base


class DeletionHold(Base):
    """A hold; it stands while `released_at` is null.

    It may be placed at one site and released at another.

    Attributes:
        target: The name or id of what is held, by `kind`.
        release_reason: Why it was released; `released_by` says by whom.
    """

    __tablename__ = "deletion_hold"
    __table_args__ = (Index(None, "kind", "target"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[HoldKind | None]
    target: Mapped[str | None]
    reason: Mapped[str | None]
    placed_by: Mapped[str | None]
    placed_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]
    released_by: Mapped[str | None]
    release_reason: Mapped[str | None]
