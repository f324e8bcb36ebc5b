"""Archives as institutions."""

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from libs.opsdb.models.base import Base, Registered, TableArguments


class DataArchive(Registered, Base):
    """Who keeps the data of a location for good.

    Attributes:
        location: The data location that holds its bytes.
        ivo_id: Its IVOA identifier, ``ivo://authority/key``.
        url: Where people find it.
    """

    __tablename__ = "data_archive"
    __table_args__: TableArguments = (Index(None, "location"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    location: Mapped[str | None]
    institution: Mapped[str | None]
    description: Mapped[str | None]
    ivo_id: Mapped[str | None]
    url: Mapped[str | None]
