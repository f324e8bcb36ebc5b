"""How an association begins: a pure decision on what somebody wants."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from contracts.association_ids import PRIMARY
from contracts.association_states import AssociationOrigin, AssociationState
from contracts.associations import (
    MOST_EXPOSURES,
    AssociationPlanned,
    ExposureMember,
    Head,
    Opening,
    ProductLink,
    ProductMember,
)
from libs.associations.products import check_products
from libs.errors import UserError

PRODUCT = "PROD"
"""The member_type of a product of which nobody said more."""


@dataclass(frozen=True, slots=True)
class Who:
    """Who decides, when, and why."""

    actor: str
    at: datetime
    reason: str = "planned"


@dataclass(frozen=True, slots=True)
class Plan:
    """An association as somebody wants it.

    Attributes:
        exposures: Its exposures, each once.
        products: Its products; the primary one if there are none.
        links: What each product is made of; of all exposures if it is not named.
        expected: How many exposures make it complete; None if nobody knows.
    """

    association_id: str
    origin: AssociationOrigin
    exposures: tuple[ExposureMember, ...]
    products: tuple[ProductMember, ...] = ()
    links: tuple[ProductLink, ...] = ()
    expected: int | None = None
    deadline: datetime | None = None
    rule: str | None = None


def plan(wanted: Plan, who: Who) -> AssociationPlanned:
    """An association begins.

    Raises:
        UserError: ``exposures_repeated``, ``too_many_exposures``, ``products_not_allowed`` or ``links_unknown``.
    """
    products = wanted.products or (ProductMember(product_id=PRIMARY, member_type=PRODUCT),)
    check_products(wanted.association_id, [one.product_id for one in products])
    keys = [member.key for member in wanted.exposures]
    if len(set(keys)) < len(keys):
        twice = sorted({key for key in keys if keys.count(key) > 1})
        raise UserError(
            "exposures_repeated",
            f"{wanted.association_id} has exposures more than once: {', '.join(twice)}",
            "Name each exposure once: its program, observation set and number.",
        )
    check_count(wanted.association_id, len(keys))
    head = Head(
        association_id=wanted.association_id,
        turn=1,
        revision=1,
        state=AssociationState.OPEN,
        origin=wanted.origin,
        opening=Opening(at=who.at, actor=who.actor, reason=who.reason),
        expected=wanted.expected,
        deadline=wanted.deadline,
        rule=wanted.rule,
    )
    links = _links(wanted, {one.product_id for one in products}, keys)
    return AssociationPlanned(head=head, exposures=wanted.exposures, products=products, links=links)


def _links(wanted: Plan, products: Collection[str], keys: list[str]) -> tuple[ProductLink, ...]:
    named = {link.product_id: link for link in wanted.links}
    known = set(keys)
    for link in wanted.links:
        if link.product_id not in products or not known.issuperset(link.exposures):
            raise UserError(
                "links_unknown",
                f"product {link.product_id} of {wanted.association_id} is linked to what is no member of it",
                "Link products of the association to exposures of it.",
            )
    return tuple(
        named.get(one, ProductLink(product_id=one, exposures=tuple(keys))) for one in sorted(products)
    )


def check_count(association: str, exposures: int) -> None:
    """Refuse more exposures than an association can have.

    Raises:
        UserError: ``too_many_exposures``.
    """
    if exposures > MOST_EXPOSURES:
        raise UserError(
            "too_many_exposures",
            f"{association} would have {exposures} exposures, more than {MOST_EXPOSURES}",
            "Plan several associations.",
        )
