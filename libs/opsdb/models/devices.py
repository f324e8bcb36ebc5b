"""Devices of the telescope network."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from contracts.skynet.states import CoolerPolicy, DeviceType
from libs.opsdb.models.base import Base, TableArguments


class Device(Base):
    """A device of a telescope or observatory; its subtype has what is particular to its type.

    Attributes:
        id: The network's number of it; `uid` is what it is known by everywhere.
        device_type: Which subtype it is of.
        telescope_id: The network's number, as are `observatory_id` and `owner_id`, an organisation or person.
        serial_number: Its maker's.
        image_id: A picture of it.
        is_deleted: It is no longer used.
        revision: Counts what was registered of it; `registered_by` is that event, and decides between equal ones.
    """

    __tablename__ = "device"
    __table_args__: TableArguments = (
        Index(None, "id"),
        Index(None, "telescope_id"),
        CheckConstraint("revision >= 1", name="revision"),
    )

    id: Mapped[int]
    uid: Mapped[UUID] = mapped_column(primary_key=True)
    device_type: Mapped[DeviceType]
    telescope_id: Mapped[int | None]
    observatory_id: Mapped[int | None]
    owner_id: Mapped[int]
    name: Mapped[str | None]
    serial_number: Mapped[str | None] = mapped_column(String(100))
    image_id: Mapped[UUID | None]
    is_deleted: Mapped[bool]
    revision: Mapped[int]
    registered_by: Mapped[UUID]

    __mapper_args__ = {"polymorphic_on": "device_type"}  # noqa: RUF012 - read by SQLAlchemy


class Camera(Device):
    """A camera, and when it is cooled.

    Attributes:
        model_id: The network's number of its model: `model_name` of `manufacturer`.
        default_binning: Pixels that are read as one, along each axis.
        temperature_setpoint: Degrees Celsius, as is `temperature_setpoint_tolerance`.
        cooler_policy: When it is cooled.
        cooler_prestart_lead_time_sec: Seconds before a task at which cooling begins.
        cooler_idle_timeout_sec: Seconds after a task until which it goes on.
        array_width: Physical pixels along the horizontal axis; `array_height` along the vertical one.
        pixel_size: Of an unbinned pixel, microns.
        full_well_capacity: Of an unbinned pixel, electrons.
        is_color: It sees colours.
        has_electronic_shutter: It needs no blades.
        is_global_shutter: It is a CCD, or a CMOS with a global shutter.
        camera_revision: As `revision`; `camera_told_by` as `registered_by`.
    """

    __tablename__ = "camera"
    __table_args__: TableArguments = (
        CheckConstraint("default_binning >= 1", name="default_binning"),
        CheckConstraint("array_width > 0 AND array_height > 0 AND pixel_size > 0", name="array"),
        CheckConstraint("temperature_setpoint_tolerance >= 0", name="tolerance"),
        CheckConstraint("cooler_prestart_lead_time_sec >= 0 AND cooler_idle_timeout_sec >= 0", name="cooler"),
    )

    uid: Mapped[UUID] = mapped_column(ForeignKey("device.uid"), primary_key=True)
    model_id: Mapped[int | None]
    default_binning: Mapped[int]
    temperature_setpoint: Mapped[float | None]
    temperature_setpoint_tolerance: Mapped[float | None]
    cooler_policy: Mapped[CoolerPolicy]
    cooler_prestart_lead_time_sec: Mapped[float]
    cooler_idle_timeout_sec: Mapped[float]
    array_width: Mapped[int]
    array_height: Mapped[int]
    pixel_size: Mapped[float]
    full_well_capacity: Mapped[float]
    is_color: Mapped[bool]
    has_electronic_shutter: Mapped[bool]
    is_global_shutter: Mapped[bool]
    model_name: Mapped[str | None] = mapped_column(String(50))
    manufacturer: Mapped[str | None] = mapped_column(String(50))
    camera_revision: Mapped[int]
    camera_told_by: Mapped[UUID]

    __mapper_args__ = {"polymorphic_identity": DeviceType.CAMERA}  # noqa: RUF012 - read by SQLAlchemy
