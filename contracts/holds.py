"""Holds: as long as one stands, no copy within its scope is deleted anywhere."""

from uuid import UUID

from pydantic import Field

from contracts.base import Event, Message, Utc, derived_id
from contracts.states import HoldKind


class HoldScope(Message):
    """What is held.

    Attributes:
        target: The name (of a location or instrument) or the id (of an observation, package or file).
    """

    kind: HoldKind
    target: str = Field(min_length=1, max_length=250)


class PlaceHold(Message):
    """What an operator asks for: that no copy within a scope is deleted."""

    scope: HoldScope
    reason: str = Field(min_length=1, max_length=1000)
    placed_by: str = Field(min_length=1, max_length=250)


class ReleaseHold(Message):
    """What an operator asks for: that a hold stands no more."""

    reason: str = Field(min_length=1, max_length=1000)
    released_by: str = Field(min_length=1, max_length=250)


class HoldPlaced(Event):
    """Somebody wants these copies to stay, whatever retention and disk pressure say."""

    entity = "hold"
    fact = "placed"

    hold_id: UUID
    scope: HoldScope
    reason: str = Field(min_length=1)
    placed_by: str
    placed_at: Utc

    def identity(self) -> tuple[object, ...]:
        return (self.hold_id,)

    def about(self) -> UUID:
        return self.hold_id


class HoldReleased(Event):
    """The hold stands no more; retention decides again."""

    entity = "hold"
    fact = "released"

    hold_id: UUID
    reason: str = Field(min_length=1)
    released_by: str
    released_at: Utc

    def identity(self) -> tuple[object, ...]:
        return (self.hold_id,)

    def about(self) -> UUID:
        return self.hold_id


def hold_id(scope: HoldScope, placed_at: object) -> UUID:
    """The id of a hold: of what, and since when."""
    return derived_id("deletion_hold", scope.kind, scope.target, placed_at)
