"""What was done, row by row: an entry for each event, none ever changed.

An entry has the status and a sentence. The full log of a tool, where one wrote any, stays in a file: `log_path` names
it, relative to the work directory of the site. Figures are metrics, and are not repeated here.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from contracts.states import WorkState
from libs.opsdb.models.base import Base, TableArguments


class Journal:
    """What every entry has.

    Attributes:
        id: The event's.
        time: When it happened, as its site's clock had it.
        site: Where it happened; `service` says which service told it.
        message: A sentence for people.
        log_path: The file with the full log, relative to the site's work directory.
    """

    id: Mapped[UUID] = mapped_column(primary_key=True)
    time: Mapped[datetime | None]
    site: Mapped[str | None]
    service: Mapped[str | None]
    message: Mapped[str | None]
    log_path: Mapped[str | None]


class DataTransferLog(Journal, Base):
    """A hop began, ended, or was given up.

    Attributes:
        status: What it was then.
    """

    __tablename__ = "data_transfer_log"
    __table_args__: TableArguments = (Index(None, "data_transfer_id", "time"),)

    data_transfer_id: Mapped[UUID | None]
    status: Mapped[WorkState | None]


class LongTermArchiveTransferLog(Journal, Base):
    """A package came into an archive, was written anew there, or could not be.

    Attributes:
        status: What it was then.
    """

    __tablename__ = "long_term_archive_transfer_log"
    __table_args__: TableArguments = (
        Index("ix_long_term_archive_transfer_log_transfer", "long_term_archive_transfer_id", "time"),
    )

    long_term_archive_transfer_id: Mapped[UUID | None]
    status: Mapped[WorkState | None]


class StagingJobLog(Journal, Base):
    """A staging job went on.

    Attributes:
        status: What it was then; it is still completed when it is released.
    """

    __tablename__ = "staging_job_log"
    __table_args__: TableArguments = (Index(None, "staging_job_id", "time"),)

    staging_job_id: Mapped[UUID | None]
    status: Mapped[WorkState | None]


class SystemLog(Journal, Base):
    """An operator did something, or a site began to run with another deployment.

    Attributes:
        action: The event's entity and fact: hold.placed, letter.dropped, catalog.applied, …
        actor: Who did it; null where nobody in particular did.
        about: The id or name of what it was done to.
        details: What else the event says, without secrets.
    """

    __tablename__ = "system_log"
    __table_args__: TableArguments = (Index(None, "time"), Index(None, "about"))

    action: Mapped[str | None]
    actor: Mapped[str | None]
    about: Mapped[str | None]
    details: Mapped[dict[str, Any] | None]
