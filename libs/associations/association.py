"""An association with its members, and what an event makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from contracts.associations import AssociationEvent, ExposureMember, Head, ProductMember

Links = Mapping[str, frozenset[str]]
"""By product id, the keys of the exposures that it is made of."""


@dataclass(frozen=True, slots=True)
class Association:
    """An association as everything that was said of it has made it.

    Attributes:
        exposures: By their keys (PPPSSOO).
        products: By their ids.
    """

    head: Head
    exposures: Mapping[str, ExposureMember] = field(default_factory=dict)
    products: Mapping[str, ProductMember] = field(default_factory=dict)
    links: Links = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Its id."""
        return self.head.association_id

    @property
    def here(self) -> list[ExposureMember]:
        """The exposures that arrived."""
        return [member for member in self.exposures.values() if member.there]

    @property
    def missing(self) -> list[ExposureMember]:
        """The exposures that did not."""
        return [member for member in self.exposures.values() if not member.there]

    @property
    def short(self) -> int:
        """How many exposures are not there, those included that are expected and were never named."""
        return max(len(self.missing), (self.head.expected or 0) - len(self.here))

    @property
    def complete(self) -> bool:
        """Whether every exposure that it is to have is there; False as long as nobody said how many these are."""
        return self.head.expected is not None and not self.short

    def overdue(self, now: datetime) -> bool:
        """Whether its time is up."""
        return self.head.deadline is not None and self.head.deadline <= now


def after(before: Association | None, event: AssociationEvent) -> Association:
    """What an association is after an event that was decided on `before`."""
    links = dict(before.links) if before else {}
    for link in event.links:
        links[link.product_id] = links.get(link.product_id, frozenset()) | frozenset(link.exposures)
    return Association(
        head=event.head,
        exposures={
            **(before.exposures if before else {}),
            **{member.key: member for member in event.exposures},
        },
        products={
            **(before.products if before else {}),
            **{one.product_id: one for one in event.products},
        },
        links=links,
    )
