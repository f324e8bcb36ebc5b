"""DataTransfer: one hop of a bundle from buffer to buffer."""

from uuid import UUID

from pydantic import Field

from contracts.base import ByteCount, Event, Message, Name, RelativePath, derived_id
from contracts.packages import PackageRecord
from contracts.problems import Problem


class MovedPackage(Message):
    """A package at both ends of a hop."""

    package: PackageRecord
    origin_path: RelativePath
    path: RelativePath
    attempt: int = Field(default=1, ge=1)


class TransferStarted(Event):
    """A mover began to move a bundle."""

    entity = "transfer"
    fact = "started"

    transfer_id: UUID
    bundle_id: UUID
    route: Name
    engine: str
    origin: Name
    destination: Name
    origin_location: Name
    location: Name
    size: ByteCount

    def identity(self) -> tuple[object, ...]:
        return (self.transfer_id,)

    def about(self) -> UUID:
        return self.transfer_id


class TransferCompleted(Event):
    """All of the bundle that could be moved was written at the other end; nothing is verified yet."""

    entity = "transfer"
    fact = "completed"

    transfer_id: UUID
    bundle_id: UUID
    route: Name
    origin: Name
    destination: Name
    origin_location: Name
    location: Name
    size: ByteCount
    seconds: float = Field(ge=0)
    packages: tuple[MovedPackage, ...] = Field(min_length=1)

    def identity(self) -> tuple[object, ...]:
        return (self.transfer_id,)

    def about(self) -> UUID:
        return self.transfer_id


class TransferFailed(Event):
    """A hop was given up; the packages are still at its origin."""

    entity = "transfer"
    fact = "failed"

    transfer_id: UUID
    bundle_id: UUID
    route: Name
    package_ids: tuple[UUID, ...]
    problem: Problem

    def identity(self) -> tuple[object, ...]:
        return (self.transfer_id,)

    def about(self) -> UUID:
        return self.transfer_id


def transfer_id(bundle_id: UUID, destination: str) -> UUID:
    """The id of a bundle's hop to `destination`."""
    return derived_id("data_transfer", bundle_id, destination)
