"""How the entries of the catalog lie in tables: what the projection writes and the commands read, in one table.

An entry's fields are columns of the same names. Where an entry refers to others, rows of their keys alone are made if
they are not there: streams interleave, and a foreign key holds in any order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from contracts.base import Message
from contracts.catalog.entry import Entry
from contracts.catalog.observatory import (
    ChaiModuleConfigurationEntry,
    DataArchiveEntry,
    InstrumentEntry,
    InstrumentModuleEntry,
    ObservatoryEntry,
    PrimeCamModuleConfigurationEntry,
    TelescopeEntry,
)
from contracts.catalog.people import RoleEntry, RolePermissionEntry, UserEntry, UserRoleEntry
from contracts.catalog.planning import (
    ChaiInparParameterEntry,
    ChaiObservationConfigurationEntry,
    ChaiTilingEntry,
    ObservingProgramEntry,
    ObsModeEntry,
    ObsUnitEntry,
    PreScheduledSlotEntry,
    PrimeCamObservationConfigurationEntry,
    SubObservingProgramEntry,
)
from contracts.catalog.sources import (
    ConstantElevationSourceEntry,
    FixedSourceEntry,
    LineEntry,
    SolarSystemObjectEntry,
)
from contracts.kinds import InstrumentFamily, SourceType
from libs.opsdb.models import METADATA


@dataclass(frozen=True)
class Reference:
    """What an entry refers to.

    Attributes:
        tables: A row of each is made, of the key alone; the last one is what is meant.
        fields: The entry's fields that name it, in the order of that key.
    """

    tables: tuple[str, ...]
    fields: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Shape:
    """Where entries of a kind lie. Compared by identity: there is one object per kind.

    Attributes:
        entry: The model.
        table: The table, or that of the supertype.
        key: Fields that name an entry, in the order of the table's key.
        subtype: The table of the subtype, if there is one.
        told: Which version columns the table has.
        fixed: Columns that are the same for all of the kind.
        refers: To what, whether it is named or not.
    """

    entry: type[Entry]
    table: str
    key: tuple[str, ...] = ("name",)
    subtype: str | None = None
    told: str = "applied"
    fixed: Mapping[str, str] | None = None
    refers: tuple[Reference, ...] = ()

    @property
    def kind(self) -> str:
        """What the entries are called."""
        return str(self.entry.model_fields["kind"].default)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Fields that are columns of `table`, beside the key."""
        return self._columns(self.table)

    @cached_property
    def subtype_columns(self) -> tuple[str, ...]:
        """Fields that are columns of `subtype`, beside the key."""
        return self._columns(self.subtype) if self.subtype else ()

    def _columns(self, table: str) -> tuple[str, ...]:
        there = METADATA.tables[table].columns
        return tuple(name for name in self.entry.model_fields if name in there and name not in self.key)

    def key_of(self, entry: Message) -> tuple[str, ...]:
        """What names an entry."""
        return tuple(getattr(entry, name) for name in self.key)


def _to(table: str, *fields: str) -> Reference:
    return Reference((table,), fields or (table,))


_MODULE = Reference(("instrument_module",), ("instrument", "instrument_module"))
_CHAI_CONFIGURATION = Reference(
    ("observation_configuration", "chai_observation_configuration"), ("observation_configuration",)
)
_CHAI = {"family": InstrumentFamily.CHAI.value}
_PRIME_CAM = {"family": InstrumentFamily.PRIME_CAM.value}

SHAPES: tuple[Shape, ...] = (
    Shape(ObservatoryEntry, "observatory"),
    Shape(TelescopeEntry, "telescope", refers=(_to("observatory"),)),
    Shape(InstrumentEntry, "instrument", told="described", refers=(_to("telescope"),)),
    Shape(InstrumentModuleEntry, "instrument_module", ("instrument", "name"), refers=(_to("instrument"),)),
    Shape(LineEntry, "line"),
    Shape(
        ChaiModuleConfigurationEntry,
        "instrument_module_configuration",
        subtype="chai_module_configuration",
        fixed=_CHAI,
        refers=(_to("instrument"), _MODULE, _to("line")),
    ),
    Shape(
        PrimeCamModuleConfigurationEntry,
        "instrument_module_configuration",
        subtype="prime_cam_module_configuration",
        fixed=_PRIME_CAM,
        refers=(_to("instrument"), _MODULE),
    ),
    Shape(ObservingProgramEntry, "observing_program"),
    Shape(
        SubObservingProgramEntry,
        "sub_observing_program",
        ("observing_program", "name"),
        refers=(_to("observing_program"),),
    ),
    Shape(
        FixedSourceEntry,
        "source",
        subtype="fixed_source",
        fixed={"source_type": SourceType.FIXED.value},
    ),
    Shape(
        SolarSystemObjectEntry,
        "source",
        subtype="solar_system_object",
        fixed={"source_type": SourceType.SOLAR_SYSTEM.value},
    ),
    Shape(
        ConstantElevationSourceEntry,
        "source",
        subtype="constant_elevation_source",
        fixed={"source_type": SourceType.CONSTANT_ELEVATION.value},
    ),
    Shape(ObsModeEntry, "obs_mode"),
    Shape(
        ChaiObservationConfigurationEntry,
        "observation_configuration",
        subtype="chai_observation_configuration",
        fixed=_CHAI,
        refers=(_to("instrument"),),
    ),
    Shape(
        PrimeCamObservationConfigurationEntry,
        "observation_configuration",
        subtype="prime_cam_observation_configuration",
        fixed=_PRIME_CAM,
        refers=(_to("instrument"),),
    ),
    Shape(
        ChaiInparParameterEntry,
        "chai_inpar_parameter",
        ("observation_configuration", "name"),
        refers=(_CHAI_CONFIGURATION,),
    ),
    Shape(
        ChaiTilingEntry, "chai_tiling", ("observation_configuration", "name"), refers=(_CHAI_CONFIGURATION,)
    ),
    Shape(
        ObsUnitEntry,
        "obs_unit",
        refers=(
            _to("observing_program"),
            _to("sub_observing_program", "observing_program", "sub_observing_program"),
            _to("source"),
            _to("line"),
            _to("obs_mode"),
            _to("observation_configuration"),
            _to("instrument_module_configuration", "module_configuration"),
        ),
    ),
    Shape(
        PreScheduledSlotEntry,
        "pre_scheduled_slot",
        refers=(_to("instrument"), _to("observing_program"), _to("obs_unit")),
    ),
    Shape(DataArchiveEntry, "data_archive"),
    Shape(UserEntry, "user"),
    Shape(RoleEntry, "role"),
    Shape(RolePermissionEntry, "role_permission", ("role", "permission"), refers=(_to("role"),)),
    Shape(UserRoleEntry, "user_role", ("user_name", "role"), refers=(_to("user", "user_name"), _to("role"))),
)
"""Every kind of entry, each after those that it may refer to."""

SHAPE_OF: Mapping[type[Entry], Shape] = {shape.entry: shape for shape in SHAPES}
