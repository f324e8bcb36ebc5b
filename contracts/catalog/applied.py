"""The event by which everything in the catalog is told."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from contracts.base import Parted, Utc, derived_id
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

CatalogEntry = (
    ObservatoryEntry
    | TelescopeEntry
    | InstrumentEntry
    | InstrumentModuleEntry
    | LineEntry
    | ChaiModuleConfigurationEntry
    | PrimeCamModuleConfigurationEntry
    | ObservingProgramEntry
    | SubObservingProgramEntry
    | FixedSourceEntry
    | SolarSystemObjectEntry
    | ConstantElevationSourceEntry
    | ObsModeEntry
    | ChaiObservationConfigurationEntry
    | PrimeCamObservationConfigurationEntry
    | ChaiInparParameterEntry
    | ChaiTilingEntry
    | ObsUnitEntry
    | PreScheduledSlotEntry
    | DataArchiveEntry
    | UserEntry
    | RoleEntry
    | RolePermissionEntry
    | UserRoleEntry
)
"""Whatever the catalog may hold; an entry comes after those that it may refer to."""


class CatalogApplied(Parted):
    """Somebody registered or changed reference data; entries that stay as they were are not told again.

    Attributes:
        apply_id: Of the whole change, of which this is a part.
        applied_at: The version of the rows: later than that of any row that it replaces, whatever the clock says.
        applied_by: Who did it.
        reason: Why, if it was said.
        entries: Each in full.
    """

    entity = "catalog"
    fact = "applied"

    apply_id: UUID
    applied_at: Utc
    applied_by: str = Field(min_length=1, max_length=250)
    reason: str = Field(default="", max_length=1000)
    entries: tuple[Annotated[CatalogEntry, Field(discriminator="kind")], ...] = Field(min_length=1)

    def identity(self) -> tuple[object, ...]:
        return (self.apply_id, self.part)

    def about(self) -> UUID:
        return self.apply_id


def apply_id(site: str, applied_at: object, entries: object) -> UUID:
    """The id of a change: where, when and what."""
    return derived_id("catalog", site, applied_at, str(entries))
