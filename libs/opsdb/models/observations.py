"""Observations that were made."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from contracts.states import ObservationState
from libs.opsdb.models.base import Base


class ExecutedObsUnit(Base):
    """An observation as an instrument filed it.

    Attributes:
        site: Where it was filed.
        obs_unit: The planned observation that it executes, if any: it has a row, registered or not.
        observing_program: The program it was made for, likewise.
        obs_mode: In the instrument's words.
        target_name: As the observer calls it.
        ra_deg: Right ascension, ICRS, degrees.
        dec_deg: Declination, ICRS, degrees.
        conditions: Weather and the like, as the instrument has filed them, free keys.
        quality: The instrument's judgement at the end.
        start_time: When it began; so is `end_time`.
        filed_at: When its beginning was filed.
        finished_at: When its end was filed.
        file_count: How many files it has; null until it is finished.
    """

    __tablename__ = "executed_obs_unit"
    __table_args__ = (
        Index(None, "state"),
        Index(None, "start_time"),
        Index(None, "obs_unit"),
        Index(None, "observing_program"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    site: Mapped[str | None]
    instrument: Mapped[str | None]
    obs_unit: Mapped[str | None] = mapped_column(ForeignKey("obs_unit.name"))
    observing_program: Mapped[str | None] = mapped_column(ForeignKey("observing_program.name"))
    obs_mode: Mapped[str | None]
    target_name: Mapped[str | None]
    ra_deg: Mapped[float | None]
    dec_deg: Mapped[float | None]
    conditions: Mapped[dict[str, Any] | None]
    quality: Mapped[str | None]
    state: Mapped[ObservationState | None]
    start_time: Mapped[datetime | None]
    end_time: Mapped[datetime | None]
    filed_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    file_count: Mapped[int | None]
