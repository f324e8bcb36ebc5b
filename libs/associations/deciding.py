"""What becomes of an association: pure decisions, each of which is one event, or none.

The tables in `contracts.association_states` say what may follow what; whatever they do not have is refused here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.association_ids import PRIMARY, product_name
from contracts.association_states import (
    AssociationState,
    AssociationStep,
    CollectionReason,
    IllegalStep,
    MemberStatus,
    ProductStatus,
    association_after,
    check_member,
    check_product,
)
from contracts.associations import (
    AssociationCollected,
    AssociationFailed,
    AssociationReopened,
    Collection,
    ExposureMember,
    Head,
    MembersAdded,
    MembersArrived,
    Opening,
    OrphanNoted,
    ProductLink,
    ProductMade,
    ProductMember,
)
from contracts.problems import Problem
from libs.associations.association import Association
from libs.associations.planning import Who, check_count
from libs.errors import UserError


def extend(known: Association, member: ExposureMember, expected: int | None) -> MembersAdded | None:
    """An exposure is to be in an association that is open; None if it is in it already, or it is too late for that.

    Args:
        known: The association.
        member: The exposure.
        expected: How many exposures the association has, as far as who names it knows.

    Raises:
        UserError: ``too_many_exposures``.
    """
    if known.head.state is not AssociationState.OPEN or member.key in known.exposures:
        return None
    check_count(known.id, len(known.exposures) + 1)
    counts = [count for count in (known.head.expected, expected) if count is not None]
    head = _next(known, AssociationStep.EXTENDED, expected=max(counts, default=None))
    primary = PRIMARY if PRIMARY in known.products else min(known.products, default=PRIMARY)
    return MembersAdded(
        head=head,
        exposures=(member,),
        links=(ProductLink(product_id=primary, exposures=(member.key,)),),
    )


@dataclass(frozen=True, slots=True)
class Arrival:
    """An exposure that is there: the observation that it is, and when it was there."""

    member: ExposureMember
    unit: UUID
    at: datetime


def arrive(known: Association, arrivals: Iterable[Arrival]) -> MembersArrived | None:
    """Exposures of an open association are there; None if that is no news.

    An exposure that is transmitted again is the same member: the first observation that was whole counts.
    """
    if known.head.state is not AssociationState.OPEN:
        return None
    found: dict[str, ExposureMember] = {}
    for arrival in arrivals:
        row = known.exposures.get(arrival.member.key)
        if row is not None and not row.there and row.key not in found:
            status = check_member(AssociationStep.ARRIVED, row.member_status, MemberStatus.UNCOLLECTED)
            found[row.key] = _there(row, arrival, status)
    if not found:
        return None
    head = _next(known, AssociationStep.ARRIVED)
    return MembersArrived(head=head, exposures=tuple(found[key] for key in sorted(found)))


def orphan(known: Association, arrival: Arrival) -> OrphanNoted | None:
    """An exposure of an association that was collected is there; None if it was there before."""
    if known.head.state is AssociationState.OPEN:
        return None
    row = known.exposures.get(arrival.member.key)
    if row is not None and (row.member_status is MemberStatus.COLLECTED or row.there):
        return None
    head = _next(known, AssociationStep.ORPHANED)
    return OrphanNoted(head=head, exposures=(_there(row or arrival.member, arrival, MemberStatus.ORPHAN),))


def _there(row: ExposureMember, arrival: Arrival, status: MemberStatus) -> ExposureMember:
    update = {"member_status": status, "executed_obs_unit_id": arrival.unit, "arrived_at": arrival.at}
    return row.model_copy(update=update)


def due(known: Association, now: datetime) -> CollectionReason | None:
    """Why an association is collected now by itself; None if it is not."""
    if known.head.state is not AssociationState.OPEN:
        return None
    if known.complete:
        return CollectionReason.COMPLETE
    return CollectionReason.DEADLINE if known.overdue(now) else None


def collect(
    known: Association, reason: CollectionReason, who: Who
) -> AssociationCollected | AssociationFailed:
    """Decide every row of an association together.

    Raises:
        UserError: ``not_open``.
    """
    step = AssociationStep.COLLECTED if known.here else AssociationStep.FAILED
    _require(
        known,
        step,
        "collected",
        "Reopen it first, if it is to be collected anew: chasqui association reopen.",
    )
    done = Collection(reason=reason, at=who.at, actor=who.actor, missing=known.short)
    head = _next(known, step, collection=done, problem=_what_is_wrong(known))
    rows = tuple(
        _with_status(member, step, MemberStatus.COLLECTED if member.there else MemberStatus.ORPHAN)
        for member in known.exposures.values()
    )
    made = step is AssociationStep.COLLECTED
    products = tuple(
        _with_product_status(
            one, step, ProductStatus.COLLECTED if made and one.dataset else ProductStatus.NOT_COLLECTED
        )
        for one in known.products.values()
    )
    if made:
        return AssociationCollected(head=head, exposures=rows, products=products)
    return AssociationFailed(head=head, exposures=rows, products=products)


def _what_is_wrong(known: Association) -> Problem | None:
    if not known.here:
        return Problem(
            code="no_exposures",
            reason=f"none of the {len(known.exposures)} exposures of {known.id} was there",
            remedy="Reopen it when exposures of it have come: chasqui association reopen.",
        )
    if not known.short:
        return None
    names = ", ".join(sorted(member.key for member in known.missing)[:10])
    what = "1 exposure" if known.short == 1 else f"{known.short} exposures"
    reason = f"{what} of {known.id} missing when it was collected"
    return Problem(
        code="exposures_missing",
        reason=f"{reason}: {names}" if names else reason,
        remedy="Its products are made without them; reopen it if they come later: chasqui association reopen.",
    )


def reopen(known: Association, who: Who, deadline: datetime | None) -> AssociationReopened:
    """A new revision begins, with the exposures that came too late for the last one.

    Raises:
        UserError: ``not_collected``.
    """
    step = AssociationStep.REOPENED
    try:
        association_after(step, known.head.state)
    except IllegalStep as error:
        raise UserError(
            "not_collected",
            f"{known.id} is open: its revision {known.head.revision} was not collected yet",
            "Nothing is to be done: exposures that come are taken.",
        ) from error
    head = _next(
        known,
        step,
        revision=known.head.revision + 1,
        opening=Opening(at=who.at, actor=who.actor, reason=who.reason),
        deadline=deadline,
        collection=None,
        problem=None,
    )
    products = tuple(
        _with_product_status(one, step, ProductStatus.UNCOLLECTED).model_copy(
            update={"dataset": None, "made_at": None}
        )
        for one in known.products.values()
    )
    rows = tuple(_with_status(member, step, MemberStatus.UNCOLLECTED) for member in known.exposures.values())
    return AssociationReopened(head=head, exposures=rows, products=products)


def make(known: Association, product: str, dataset: UUID, who: Who) -> ProductMade | None:
    """The data set of a product is there; None if that is no news.

    Raises:
        UserError: ``product_unknown``, or ``nothing_collected`` if no exposure was there to make it of.
    """
    row = known.products.get(product)
    if row is None:
        raise UserError(
            "product_unknown",
            f"{known.id} has no product {product}; it has {', '.join(sorted(known.products))}",
            "Name the product by the last character of its name.",
        )
    if row.dataset == dataset:
        return None
    try:
        head = _next(known, AssociationStep.MADE)
    except IllegalStep as error:
        raise UserError(
            "nothing_collected",
            f"{product_name(known.id, product)} is made of nothing: {known.id} had no exposures",
            "Reopen the association, and let it be collected with exposures.",
        ) from error
    is_open = known.head.state is AssociationState.OPEN
    status = ProductStatus.UNCOLLECTED if is_open else ProductStatus.COLLECTED
    told = _with_product_status(row, AssociationStep.MADE, status)
    told = told.model_copy(update={"dataset": dataset, "made_at": who.at})
    return ProductMade(head=head, products=(told,), actor=who.actor)


def _with_status(member: ExposureMember, step: AssociationStep, status: MemberStatus) -> ExposureMember:
    return member.model_copy(update={"member_status": check_member(step, member.member_status, status)})


def _with_product_status(one: ProductMember, step: AssociationStep, status: ProductStatus) -> ProductMember:
    return one.model_copy(update={"product_status": check_product(step, one.product_status, status)})


def _require(known: Association, step: AssociationStep, done: str, remedy: str) -> None:
    try:
        association_after(step, known.head.state)
    except IllegalStep as error:
        raise UserError(
            "not_open", f"{known.id} cannot be {done}: it is {known.head.state.value} already", remedy
        ) from error


def _next(known: Association, step: AssociationStep, **changes: object) -> Head:
    """The head after a step.

    Raises:
        IllegalStep: The step does not lead from the association's state.
    """
    state = association_after(step, known.head.state)
    told = known.head.model_dump() | {"turn": known.head.turn + 1, "state": state} | changes
    return Head.model_validate(told)
