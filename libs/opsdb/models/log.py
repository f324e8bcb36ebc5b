"""What was folded, and how far."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from libs.opsdb.models.base import Base


class EventRecord(Base):
    """One row per event, under the first sequence that brought it: the timeline behind `chasqui explain`.

    A repeat (same id, later sequence) has no row: this table is how the projector knows it for a repeat.
    """

    __tablename__ = "event_record"
    __table_args__ = (
        UniqueConstraint("event_id", "stream"),
        Index(None, "about"),
        Index(None, "time"),
    )

    stream: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[UUID]
    type: Mapped[str]
    about: Mapped[str]
    site: Mapped[str]
    service: Mapped[str]
    time: Mapped[datetime]
    causation_id: Mapped[str | None]


class StreamPosition(Base):
    """The last sequence of a stream whose effect is in these tables.

    Attributes:
        event_time: Time of the last readable event up to there.
    """

    __tablename__ = "stream_position"

    stream: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int]
    event_time: Mapped[datetime | None]
