"""Observations that were made."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from contracts.states import ObservationState
from libs.opsdb.models.base import Base


class ExecutedObsUnit(Base):
    """An observation as an instrument filed it.

    Attributes:
        site: Where it was filed.
        ra_deg: Right ascension, ICRS, degrees.
        dec_deg: Declination, ICRS, degrees.
        filed_at: When its beginning was filed.
        finished_at: When its end was filed.
        file_count: How many files it has; null until it is finished.
    """

    __tablename__ = "executed_obs_unit"
    __table_args__ = (
        Index(None, "state"),
        Index(None, "start_time"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    site: Mapped[str | None]
    instrument: Mapped[str | None]
    obs_unit: Mapped[str | None]
    observing_program: Mapped[str | None]
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
