"""Cameras, and what they have in common with every device."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, model_validator

from contracts.base import Event, Message, Utc
from contracts.skynet.fields import Celsius, Count, Id, Seconds, Text50, Text100
from contracts.skynet.states import CoolerPolicy, DeviceType

Pixels = Annotated[int, Field(gt=0, le=1_000_000)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
AtLeastZero = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Device(Message):
    """What every device is, with the fields of the network's own schema.

    Attributes:
        id: The network's number of it; `uid` is what it is known by everywhere.
        owner_id: The organisation or person that owns it.
        image_id: A picture of it.
        is_deleted: It is no longer used.
    """

    id: Id
    uid: UUID
    device_type: DeviceType
    telescope_id: Id | None = None
    observatory_id: Id | None = None
    owner_id: Id
    name: str | None = None
    serial_number: Text100 | None = None
    image_id: UUID | None = None
    is_deleted: bool


class Camera(Device):
    """A camera, with the fields of the network's own schema.

    Attributes:
        temperature_setpoint: Degrees Celsius, as is `temperature_setpoint_tolerance`.
        cooler_prestart_lead_time_sec: Seconds before a task at which it is cooled.
        cooler_idle_timeout_sec: Seconds after a task until which it is.
        array_width: Physical pixels along the horizontal axis, as is `array_height` along the vertical one.
        pixel_size: Of an unbinned pixel, microns.
        full_well_capacity: Of an unbinned pixel, electrons.
        is_color: It sees colours.
        is_global_shutter: It is a CCD, or a CMOS with a global shutter.
    """

    model_id: Id | None = None
    default_binning: Annotated[int, Field(ge=1, le=64)]
    temperature_setpoint: Celsius | None = None
    temperature_setpoint_tolerance: AtLeastZero | None = None
    cooler_policy: CoolerPolicy
    cooler_prestart_lead_time_sec: Seconds
    cooler_idle_timeout_sec: Seconds
    array_width: Pixels
    array_height: Pixels
    pixel_size: Positive
    full_well_capacity: AtLeastZero
    is_color: bool
    has_electronic_shutter: bool
    is_global_shutter: bool
    model_name: Text50 | None = None
    manufacturer: Text50 | None = None

    @model_validator(mode="after")
    def _is_a_camera(self) -> "Camera":
        if self.device_type is not DeviceType.CAMERA:
            raise ValueError("the device_type of a camera is camera")
        return self


class CameraRegistered(Event):
    """A camera is as this says from now on.

    Attributes:
        revision: Counts what was registered of the camera, from 1.
    """

    entity = "camera"
    fact = "registered"

    revision: Count = Field(ge=1)
    camera: Camera
    registered_at: Utc

    def identity(self) -> tuple[object, ...]:
        return (self.camera.uid, self.revision)

    def about(self) -> UUID:
        return self.camera.uid
