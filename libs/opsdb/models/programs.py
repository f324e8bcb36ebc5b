"""What is to be observed, when, and for whom."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from libs.opsdb.models.base import Base, Registered, TableArguments


class ObservingProgram(Registered, Base):
    """A proposal that was granted time.

    Attributes:
        allocated_h: Time granted, hours.
        priority: Lower first.
    """

    __tablename__ = "observing_program"
    __table_args__: TableArguments = (CheckConstraint("allocated_h >= 0", "allocated"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str | None]
    principal_investigator: Mapped[str | None]
    allocated_h: Mapped[float | None]
    priority: Mapped[int | None]
    description: Mapped[str | None]


class SubObservingProgram(Registered, Base):
    """A part of a program.

    Attributes:
        allocated_h: Of the program's time, hours.
    """

    __tablename__ = "sub_observing_program"
    __table_args__: TableArguments = (CheckConstraint("allocated_h >= 0", "allocated"),)

    observing_program: Mapped[str] = mapped_column(ForeignKey("observing_program.name"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str | None]
    allocated_h: Mapped[float | None]
    description: Mapped[str | None]


class ObsUnit(Registered, Base):
    """A planned observation. One that was executed before it was registered has a row with its name alone.

    Attributes:
        sub_observing_program: A part of `observing_program`.
        module_configuration: How the module is set up; `observation_configuration` is how it observes.
        planned_duration_s: Seconds, overheads included.
        priority: Lower first.
        executions: How many times it is to be made.
    """

    __tablename__ = "obs_unit"
    __table_args__: TableArguments = (
        ForeignKeyConstraint(
            ["observing_program", "sub_observing_program"],
            ["sub_observing_program.observing_program", "sub_observing_program.name"],
        ),
        Index(None, "observing_program", "sub_observing_program"),
        Index(None, "source"),
        CheckConstraint("planned_duration_s > 0", "planned_duration"),
        CheckConstraint("executions > 0", "executions"),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    observing_program: Mapped[str | None] = mapped_column(ForeignKey("observing_program.name"))
    sub_observing_program: Mapped[str | None]
    source: Mapped[str | None] = mapped_column(ForeignKey("source.name"))
    line: Mapped[str | None] = mapped_column(ForeignKey("line.name"))
    obs_mode: Mapped[str | None] = mapped_column(ForeignKey("obs_mode.name"))
    observation_configuration: Mapped[str | None] = mapped_column(
        ForeignKey("observation_configuration.name")
    )
    module_configuration: Mapped[str | None] = mapped_column(
        ForeignKey("instrument_module_configuration.name")
    )
    planned_duration_s: Mapped[float | None]
    priority: Mapped[int | None]
    executions: Mapped[int | None]
    description: Mapped[str | None]


class PreScheduledSlot(Registered, Base):
    """Time that is reserved.

    Attributes:
        start_time: From then on, until before `end_time`.
        obs_unit: What is to be made then; null for anything of the program.
    """

    __tablename__ = "pre_scheduled_slot"
    __table_args__: TableArguments = (
        CheckConstraint("start_time < end_time", "times"),
        Index(None, "start_time"),
        Index(None, "observing_program"),
        Index(None, "obs_unit"),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    start_time: Mapped[datetime | None]
    end_time: Mapped[datetime | None]
    instrument: Mapped[str | None] = mapped_column(ForeignKey("instrument.name"))
    observing_program: Mapped[str | None] = mapped_column(ForeignKey("observing_program.name"))
    obs_unit: Mapped[str | None] = mapped_column(ForeignKey("obs_unit.name"))
    description: Mapped[str | None]
