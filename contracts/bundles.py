"""DataTransferPackage: packages that travel together. A manifest, never a second tar."""

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from contracts.base import ByteCount, Event, Message, Name, RelativePath, derived_id
from contracts.packages import PackageRecord


class BundledPackage(Message):
    """A package and where the mover finds it.

    Attributes:
        attempt: Counts how many times it is sent, from 1; a relay does not count.
    """

    package: PackageRecord
    location: Name
    path: RelativePath
    attempt: int = Field(default=1, ge=1)


class SealReason(StrEnum):
    """Why a bundle was closed when it was."""

    TARGET_SIZE = "target_size"
    """The packages reached the route's target size."""
    MOST_PACKAGES = "most_packages"
    """The list is as long as one message may carry."""
    LONGEST_WAIT = "longest_wait"
    """The oldest package waited as long as the route allows."""
    IDLE_ROUTE = "idle_route"
    """Nothing else was on its way: waiting would gain nothing."""
    REPAIR = "repair"
    """A damaged package travels again, alone."""


class BundleSealed(Event):
    """A bundle's list is closed; it is ready for its first hop."""

    entity = "bundle"
    fact = "sealed"

    bundle_id: UUID
    route: Name
    origin: Name
    destination: Name
    priority: int
    reason: SealReason
    size: ByteCount
    packages: tuple[BundledPackage, ...] = Field(min_length=1)

    def identity(self) -> tuple[object, ...]:
        return (self.bundle_id,)

    def about(self) -> UUID:
        return self.bundle_id


class BundleForwarded(Event):
    """A bundle arrived at a relay's BUFFER and is ready for its next hop."""

    entity = "bundle"
    fact = "forwarded"

    bundle_id: UUID
    route: Name
    relay: Name
    destination: Name
    priority: int
    size: ByteCount
    packages: tuple[BundledPackage, ...] = Field(min_length=1)

    def identity(self) -> tuple[object, ...]:
        return (self.bundle_id, self.relay)

    def about(self) -> UUID:
        return self.bundle_id


class BundleReceived(Event):
    """Everything of a bundle was read at its destination."""

    entity = "bundle"
    fact = "received"

    bundle_id: UUID
    transfer_id: UUID
    route: Name
    location: Name
    verified: int = Field(ge=0)
    corrupted: int = Field(ge=0)

    def identity(self) -> tuple[object, ...]:
        return (self.bundle_id, self.transfer_id, self.location)

    def about(self) -> UUID:
        return self.bundle_id


def bundle_id(route: str, packages: tuple[BundledPackage, ...]) -> UUID:
    """The id of a bundle: what travels, which way, for the how-manieth time."""
    return derived_id(
        "data_transfer_package", route, *(f"{p.package.package_id}:{p.attempt}" for p in packages)
    )


def repair_id(route: str, package_id: UUID, location: str, transfer: UUID) -> UUID:
    """The id of the bundle in which a package travels again, alone.

    Args:
        route: The way it goes.
        package_id: The package.
        location: Where it was found damaged.
        transfer: The transfer that had brought it there.
    """
    return derived_id("data_transfer_package", route, "repair", package_id, location, transfer)
