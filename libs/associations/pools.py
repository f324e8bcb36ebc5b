"""Associations from a pool of exposures and rules: pure.

A rule takes the exposures that match it and puts those together whose attributes agree. One exposure may be in
several associations, by one rule or by several. What JWST's generator is known to do wrong cannot happen here:

- Two rules that claim the same set of exposures make one association: the first rule of the file has it, and the other
  claim is told.
- No name is given twice, neither in one run nor in a later one: numbers in use are left out, and so are all that were
  given before in this run. The same pool and rules again make nothing new.
- An orphan is an exposure that no association has, neither a new one nor one that was there; each is told once.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from contracts.association_ids import association_id
from contracts.association_states import AssociationOrigin
from contracts.associations import MOST_EXPOSURES, ExposureMember, ProductMember
from libs.associations.planning import Plan
from libs.associations.rules import Rule
from libs.errors import UserError

MOST_NUMBERS = 36**2 - 1


@dataclass(frozen=True, slots=True)
class PoolExposure:
    """An exposure with what rules ask about.

    Attributes:
        instrument: Its code, the first character of its name.
        attributes: By name: what was filed of its observation.
    """

    instrument: str
    member: ExposureMember
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Existing:
    """An association that is there already."""

    association_id: str
    exposures: frozenset[str]


@dataclass(frozen=True, slots=True)
class DoubleClaim:
    """A set of exposures that another rule, or an association that was there, has already.

    Attributes:
        kept: The association that has it.
    """

    rule: str
    exposures: tuple[str, ...]
    kept: str


@dataclass(frozen=True, slots=True)
class Generated:
    """What became of a pool.

    Attributes:
        plans: New associations.
        claims: Sets that were claimed again, which made nothing.
        orphans: Exposures of the pool that are in no association.
        too_few: Groups that a rule found, but too small for it, by rule.
    """

    plans: tuple[Plan, ...]
    claims: tuple[DoubleClaim, ...]
    orphans: tuple[str, ...]
    too_few: Mapping[str, int] = field(default_factory=dict)


class _Numbers:
    """The numbers of associations in their observation sets, each given once."""

    def __init__(self, existing: Iterable[str]) -> None:
        self._used: dict[str, set[str]] = {}
        for name in existing:
            self._used.setdefault(name[:6], set()).add(name)

    def next(self, instrument: str, program: str, obset: str) -> str:
        used = self._used.setdefault(f"{instrument}{program}{obset}", set())
        for number in range(1, MOST_NUMBERS + 1):
            name = association_id(instrument, program, obset, number)
            if name not in used:
                used.add(name)
                return name
        raise UserError(
            "no_numbers_left",
            f"observation set {instrument}{program}{obset} has {MOST_NUMBERS} associations, which is all",
            "Leave exposures of it out of the pool.",
        )


def generate(
    pool: Sequence[PoolExposure], rules: Sequence[Rule], existing: Collection[Existing]
) -> Generated:
    """The associations that rules find in a pool.

    Args:
        pool: Each exposure once; a transmission that was repeated is left out.
        rules: In the order in which they claim.
        existing: Associations that are there already, of the programs of the pool.

    Raises:
        UserError: ``too_many_exposures`` or ``no_numbers_left``.
    """
    exposures = {one.member.key: one for one in pool}
    numbers = _Numbers(one.association_id for one in existing)
    holders = {(one.association_id[0], one.exposures): one.association_id for one in existing}
    plans: list[Plan] = []
    claims: list[DoubleClaim] = []
    too_few: dict[str, int] = {}
    for rule in rules:
        for group in _groups(rule, exposures.values()):
            keys = frozenset(one.member.key for one in group)
            if len(keys) < rule.least:
                too_few[rule.name] = too_few.get(rule.name, 0) + 1
                continue
            kept = holders.get((group[0].instrument, keys))
            if kept is not None:
                claims.append(DoubleClaim(rule.name, tuple(sorted(keys)), kept))
                continue
            plan = _plan(rule, group, numbers)
            holders[group[0].instrument, keys] = plan.association_id
            plans.append(plan)
    taken = {key for _, keys in holders for key in keys}
    return Generated(tuple(plans), tuple(claims), tuple(sorted(exposures.keys() - taken)), too_few)


def _groups(rule: Rule, pool: Iterable[PoolExposure]) -> list[list[PoolExposure]]:
    """What a rule puts together: exposures of one instrument and program whose attributes agree."""
    found: dict[tuple[str, ...], list[PoolExposure]] = {}
    for one in sorted(pool, key=lambda one: one.member.key):
        values = rule.agreement(one.instrument, one.attributes)
        if values is not None:
            found.setdefault((one.instrument, one.member.program_id, *values), []).append(one)
    return [found[agreed] for agreed in sorted(found)]


def _plan(rule: Rule, group: Sequence[PoolExposure], numbers: _Numbers) -> Plan:
    first = group[0]
    if len(group) > MOST_EXPOSURES:
        raise UserError(
            "too_many_exposures",
            f"rule {rule.name} puts {len(group)} exposures together, more than {MOST_EXPOSURES}",
            "Let the rule ask that more attributes agree: group_by.",
        )
    members = tuple(
        one.member.model_copy(update={"member_type": rule.exposure_type or one.member.member_type})
        for one in group
    )
    return Plan(
        association_id=numbers.next(first.instrument, first.member.program_id, first.member.obset_id),
        origin=AssociationOrigin.POOL,
        exposures=members,
        products=tuple(ProductMember(product_id=one.id, member_type=one.type) for one in rule.products),
        expected=len(members),
        rule=rule.name,
    )
