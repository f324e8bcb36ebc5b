"""Associations as they are planned, collected, reopened and planned twice by two sites that do not know of each other."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from contracts.association_ids import association_id, base_36
from contracts.association_states import AssociationOrigin, AssociationState, CollectionReason
from contracts.associations import (
    AssociationEvent,
    Claim,
    Exposure,
    ExposureMember,
    ExposureNamed,
    ProductLink,
    ProductMember,
)
from contracts.base import derived_id
from libs.associations import deciding, planning
from libs.associations.association import Association, after
from libs.associations.deciding import Arrival
from libs.associations.planning import Plan, Who
from tests.support.histories import road
from tests.support.histories.road import Step

PROGRAM = "4K6"
OBSET = "01"


def exposures(count: int, first: int = 1) -> tuple[ExposureMember, ...]:
    """Exposures of one observation set, numbered on."""
    return tuple(
        ExposureMember(program_id=PROGRAM, obset_id=OBSET, member_num=base_36(n, 2), member_type="EXP-DTH")
        for n in range(first, first + count)
    )


def named(member: ExposureMember, associations: tuple[str, ...], transmission: int = 1) -> ExposureNamed:
    """What filing says of an exposure."""
    return ExposureNamed(
        executed_obs_unit_id=derived_id("executed_obs_unit", member.key, transmission),
        exposure=Exposure(
            name=f"J{member.key}",
            member_type=member.member_type,
            associations=tuple(Claim(association_id=one, exposures=3) for one in associations),
        ),
    )


def planned(name: str, members: tuple[ExposureMember, ...], at: datetime) -> Plan:
    """A dither product and one of the first exposure."""
    return Plan(
        association_id=name,
        origin=AssociationOrigin.OPERATOR,
        exposures=members,
        products=(
            ProductMember(product_id="0", member_type="PROD-DTH"),
            ProductMember(product_id="1", member_type="PROD-RPT"),
        ),
        links=(ProductLink(product_id="1", exposures=(members[0].key,)),),
        expected=len(members),
        deadline=at + timedelta(days=1),
    )


class Life:
    """One association at one site, and everything that may happen to it, as it is decided there."""

    def __init__(self, name: str, site: str, at: datetime, chance: random.Random) -> None:
        self.name = name
        self.site = site
        self._at = at
        self._chance = chance
        self.known: Association | None = None

    def steps(self, more: int) -> Iterator[Step]:
        """The plan, and so many other events."""
        for member in exposures(3):
            yield self.site, named(member, (self.name,))
        yield from self._said(planning.plan(planned(self.name, exposures(3), self._at), self._who()))
        for _ in range(more):
            yield from self._said(self._anything())

    def _said(self, event: AssociationEvent | None) -> Iterator[Step]:
        if event is not None:
            self.known = after(self.known, event)
            yield self.site, event

    def _anything(self) -> AssociationEvent | None:
        assert self.known is not None
        known = self.known
        if known.head.state is not AssociationState.OPEN:
            return self._afterwards(known)
        match self._chance.randrange(5):
            case 0:
                [extra] = exposures(1, first=4 + self._chance.randrange(3))
                return deciding.extend(known, extra, None)
            case 1 | 2:
                return deciding.arrive(known, [self._arrival(known)])
            case 3:
                return self._made(known)
            case _:
                reason = self._chance.choice(list(CollectionReason))
                return deciding.collect(known, reason, self._who())

    def _afterwards(self, known: Association) -> AssociationEvent | None:
        match self._chance.randrange(3):
            case 0:
                return deciding.orphan(known, self._arrival(known))
            case 1 if known.head.state is AssociationState.COLLECTED:
                return self._made(known)
            case _:
                return deciding.reopen(known, self._who(), None)

    def _made(self, known: Association) -> AssociationEvent | None:
        product = self._chance.choice(sorted(known.products))
        dataset = derived_id("raw_data_file", known.id, product, self._chance.randrange(2))
        return deciding.make(known, product, dataset, self._who())

    def _arrival(self, known: Association) -> Arrival:
        member = known.exposures[self._chance.choice(sorted(known.exposures))]
        transmission = self._chance.choice((1, 2))
        unit = derived_id("executed_obs_unit", member.key, transmission)
        return Arrival(member, unit, self._now())

    def _who(self) -> Who:
        return Who("an operator", self._now(), "a late exposure came")

    def _now(self) -> datetime:
        self._at += timedelta(seconds=self._chance.randrange(-5, 60))  # clocks are set back, too
        return self._at


def association(number: int, at: datetime, chance: random.Random) -> Iterator[Step]:
    """The life of an association; now and then both sites plan it."""
    name = association_id("J", PROGRAM, OBSET, number)
    lives = [Life(name, road.ORIGIN, at, chance)]
    if chance.random() < 0.3:
        lives.append(Life(name, road.DESTINATION, at, chance))
    waiting = [life.steps(chance.randrange(12)) for life in lives]
    while waiting:
        steps = chance.choice(waiting)
        step = next(steps, None)
        if step is None:
            waiting.remove(steps)
        else:
            yield step
