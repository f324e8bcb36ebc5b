"""Dead letters, as the log tells of them; the messages themselves lie in the stream of their site."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from contracts.states import FailureKind, LetterState
from libs.opsdb.models.base import Base, WithProblem


class DeadLetter(WithProblem, Base):
    """A message that one handler gave up.

    All events about one letter happen at the site of that handler, hence in one stream.

    Attributes:
        id: `contracts.letters.letter_id`.
        stream: Where the message came from; null for a request. So is `sequence`.
        type: The event's type.
        entity_id: The id of what the message is about; null where it cannot be read.
        attempts: How many times it was handled in vain.
        burials: How many times it was given up.
        decided_by: Who last had it sent again, or dropped it; `decided_at` is when.
        drop_reason: Why it was dropped.
    """

    __tablename__ = "dead_letter"
    __table_args__ = (Index(None, "entity_id"), Index(None, "state"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    site: Mapped[str | None]
    service: Mapped[str | None]
    handler: Mapped[str | None]
    stream: Mapped[str | None]
    sequence: Mapped[int | None]
    type: Mapped[str | None]
    entity_id: Mapped[str | None]
    failure: Mapped[FailureKind | None]
    attempts: Mapped[int | None]
    burials: Mapped[int | None]
    state: Mapped[LetterState | None]
    buried_at: Mapped[datetime | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    drop_reason: Mapped[str | None]
    settled_at: Mapped[datetime | None]
