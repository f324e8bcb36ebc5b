"""What to say next of an association, given what is there: one pure decision."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from contracts.association_states import AssociationOrigin, AssociationState
from contracts.associations import AssociationEvent, Claim, Exposure, ExposureMember
from libs.associations import deciding
from libs.associations.association import Association
from libs.associations.planning import Plan, Who, plan
from libs.associations.saying import World

ACTOR = "associator"


@dataclass(frozen=True, slots=True)
class Claimed:
    """An exposure that is to be in the association, as its instrument said.

    Attributes:
        expected: How many exposures the association has, if the instrument knows.
    """

    member: ExposureMember
    expected: int | None

    @classmethod
    def of(cls, exposure: Exposure, claim: Claim) -> "Claimed":
        """One of an exposure's claims."""
        return cls(member_of(exposure), claim.exposures)


def member_of(exposure: Exposure) -> ExposureMember:
    """The row that an exposure has in its associations."""
    name = exposure.name
    return ExposureMember(
        program_id=name[1:4], obset_id=name[4:6], member_num=name[6:], member_type=exposure.member_type
    )


@dataclass(frozen=True, slots=True)
class Gathering:
    """What is looked at in one go.

    Attributes:
        association_id: The association.
        now: The time.
        deadline: How long an association waits that begins here.
        claimed: The exposure that is to be in it, if one is.
    """

    association_id: str
    now: datetime
    deadline: timedelta
    claimed: Claimed | None = None

    def next(self, world: World) -> AssociationEvent | None:
        """The next event: it begins, grows, has exposures, is collected, has an orphan; None if all was said."""
        if world.known is None:
            return self._begin()
        return (
            self._grow(world.known)
            or deciding.arrive(world.known, world.arrivals)
            or self._collect(world.known)
            or self._orphan(world.known, world)
        )

    def _begin(self) -> AssociationEvent | None:
        if self.claimed is None:
            return None
        wanted = Plan(
            association_id=self.association_id,
            origin=AssociationOrigin.FILING,
            exposures=(self.claimed.member,),
            expected=self.claimed.expected,
            deadline=self.now + self.deadline,
        )
        return plan(wanted, self._who("an instrument filed an exposure of it"))

    def _grow(self, known: Association) -> AssociationEvent | None:
        if self.claimed is None:
            return None
        return deciding.extend(known, self.claimed.member, self.claimed.expected)

    def _collect(self, known: Association) -> AssociationEvent | None:
        reason = deciding.due(known, self.now)
        return None if reason is None else deciding.collect(known, reason, self._who(reason.value))

    def _orphan(self, known: Association, world: World) -> AssociationEvent | None:
        claimed = self.claimed.member.key if self.claimed else None
        for arrival in world.arrivals:
            if arrival.member.key in known.exposures or arrival.member.key == claimed:
                noted = deciding.orphan(known, arrival)
                if noted is not None:
                    return noted
        return None

    def _who(self, reason: str) -> Who:
        return Who(ACTOR, self.now, reason)


@dataclass(frozen=True, slots=True)
class Making:
    """A file is there that is called like a product."""

    product: str
    file: UUID
    now: datetime

    def next(self, world: World) -> AssociationEvent | None:
        """That the product was made, unless that is known of this revision, or nothing was collected to make it of."""
        known = world.known
        if known is None or known.head.state is AssociationState.FAILED:
            return None
        row = known.products.get(self.product)
        if row is None or row.dataset is not None:
            return None
        return deciding.make(known, self.product, self.file, Who(ACTOR, self.now, "made"))
