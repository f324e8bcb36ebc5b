"""The deployment as the log knows it: sites, locations, instruments and routes are facts, too."""

from uuid import UUID

from pydantic import Field

from contracts.base import ByteCount, Event, Message, Name, derived_id
from contracts.states import LocationType, RouteType, StorageType


class SiteFact(Message):
    """A site."""

    name: Name
    description: str = ""


class LocationFact(Message):
    """A data location; `address` is a folder, or ``endpoint/bucket``. Lower priority is used first."""

    name: Name
    site: Name
    type: LocationType
    storage: StorageType
    address: str
    priority: int
    active: bool


class ModuleFact(Message):
    """An instrument module."""

    name: Name


class InstrumentFact(Message):
    """An instrument, where it writes, and how much may go in one package."""

    name: Name
    site: Name
    source: Name
    folder: str
    available: bool
    package_limit: ByteCount
    modules: tuple[ModuleFact, ...] = Field(min_length=1)


class RouteFact(Message):
    """A way from one site to another."""

    name: Name
    type: RouteType
    origin: Name
    destination: Name
    via: tuple[Name, ...] = ()


class DeploymentApplied(Event):
    """A site runs with this deployment from now on.

    Attributes:
        revision: Counts the deployments applied at this site from 1.
    """

    entity = "deployment"
    fact = "applied"

    revision: int = Field(ge=1)
    observatory: str
    telescope: str
    sites: tuple[SiteFact, ...]
    locations: tuple[LocationFact, ...]
    instruments: tuple[InstrumentFact, ...]
    routes: tuple[RouteFact, ...]

    def identity(self) -> tuple[object, ...]:
        return (self.revision, self.content_id())

    def content_id(self) -> UUID:
        """Equal for equal content, whatever the revision."""
        return derived_id("deployment", self.model_dump_json(exclude={"revision"}))

    def about(self) -> str:
        return self.observatory
