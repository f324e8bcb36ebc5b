"""What is to be observed, how, when, and for whom."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from contracts.base import Name, Utc
from contracts.catalog.entry import CatalogName, Count, Entry, NotNegative, Number, Positive, Text
from contracts.kinds import ScanPattern

Priority = Annotated[int, Field(ge=0, le=1000)]


class ObservingProgramEntry(Entry):
    """A proposal that was granted time.

    Attributes:
        allocated_h: Time granted, hours.
        priority: Lower first.
    """

    kind: Literal["observing_program"] = "observing_program"
    name: CatalogName
    title: Text = ""
    principal_investigator: Text = ""
    allocated_h: NotNegative | None = None
    priority: Priority = 5
    description: Text = ""


class SubObservingProgramEntry(Entry):
    """A part of a program.

    Attributes:
        allocated_h: Of the program's time, hours.
    """

    kind: Literal["sub_observing_program"] = "sub_observing_program"
    observing_program: CatalogName
    name: CatalogName
    title: Text = ""
    allocated_h: NotNegative | None = None
    description: Text = ""


class ObsModeEntry(Entry):
    """A way to observe: on the fly, position switched, raster, …"""

    kind: Literal["obs_mode"] = "obs_mode"
    name: CatalogName
    description: Text = ""


class ChaiObservationConfigurationEntry(Entry):
    """How CHAI observes.

    Attributes:
        integration_s: Time on each point, seconds.
        reference_ra_offset_arcsec: From the source to the reference position, arcsec on the sky; so is
            `reference_dec_offset_arcsec`.
    """

    kind: Literal["chai_observation_configuration"] = "chai_observation_configuration"
    name: CatalogName
    instrument: Name
    description: Text = ""
    integration_s: Positive | None = None
    reference_ra_offset_arcsec: Number | None = None
    reference_dec_offset_arcsec: Number | None = None


class PrimeCamObservationConfigurationEntry(Entry):
    """How Prime-Cam observes.

    Attributes:
        scan_speed_deg_s: On the sky, degrees per second.
        scan_width_deg: Of the scanned field, degrees; so is `scan_height_deg`.
    """

    kind: Literal["prime_cam_observation_configuration"] = "prime_cam_observation_configuration"
    name: CatalogName
    instrument: Name
    description: Text = ""
    scan_pattern: ScanPattern | None = None
    scan_speed_deg_s: Positive | None = None
    scan_width_deg: Positive | None = None
    scan_height_deg: Positive | None = None


class ChaiInparParameterEntry(Entry):
    """One input parameter of CHAI's observing script.

    Attributes:
        value: As the script reads it.
        unit: Of the value; empty if it has none.
    """

    kind: Literal["chai_inpar_parameter"] = "chai_inpar_parameter"
    observation_configuration: CatalogName
    name: CatalogName
    value: Text
    unit: Text = ""
    description: Text = ""


class ChaiTilingEntry(Entry):
    """One tile of a map that CHAI makes of several.

    Attributes:
        ra_offset_arcsec: From the source to the tile's centre, arcsec on the sky; so is `dec_offset_arcsec`.
        width_arcsec: Arcsec; so is `height_arcsec`.
        position_angle_deg: From north over east, degrees.
    """

    kind: Literal["chai_tiling"] = "chai_tiling"
    observation_configuration: CatalogName
    name: CatalogName
    ra_offset_arcsec: Number = 0.0
    dec_offset_arcsec: Number = 0.0
    width_arcsec: Positive | None = None
    height_arcsec: Positive | None = None
    position_angle_deg: Number = 0.0


class PreScheduledSlotEntry(Entry):
    """Time that is reserved.

    Attributes:
        start_time: From then on, until before `end_time`.
        obs_unit: What is to be made then; anything of the program if left out.
    """

    kind: Literal["pre_scheduled_slot"] = "pre_scheduled_slot"
    name: CatalogName
    start_time: Utc
    end_time: Utc
    instrument: Name | None = None
    observing_program: CatalogName | None = None
    obs_unit: CatalogName | None = None
    description: Text = ""

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Self:
        if self.end_time - self.start_time <= timedelta(0):
            raise ValueError("start_time is not before end_time; correct one of them")
        return self


class ObsUnitEntry(Entry):
    """A planned observation.

    Attributes:
        sub_observing_program: A part of `observing_program`.
        module_configuration: How the module is set up; `observation_configuration` is how it observes.
        planned_duration_s: Seconds, overheads included.
        priority: Lower first.
        executions: How many times it is to be made.
    """

    kind: Literal["obs_unit"] = "obs_unit"
    name: CatalogName
    observing_program: CatalogName
    sub_observing_program: CatalogName | None = None
    source: CatalogName | None = None
    line: CatalogName | None = None
    obs_mode: CatalogName | None = None
    observation_configuration: CatalogName | None = None
    module_configuration: CatalogName | None = None
    planned_duration_s: Positive | None = None
    priority: Priority = 5
    executions: Count = 1
    description: Text = ""
