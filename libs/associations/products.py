"""Which products an association of an instrument may have."""

from collections.abc import Collection
from dataclasses import dataclass

from contracts.association_ids import BASE_36, PRIMARY
from libs.errors import UserError


@dataclass(frozen=True, slots=True)
class ProductRule:
    """What an instrument allows.

    Attributes:
        ids: The product ids there may be.
        most: How many products at most.
        alone: A product that is allowed in place of the primary one, if it is the only one.
        words: The rule for a person.
    """

    ids: str
    most: int
    words: str
    alone: str | None = None

    def allows(self, products: Collection[str]) -> bool:
        """Whether an association may have these products."""
        chosen = set(products)
        if len(chosen) < len(products) or not 1 <= len(chosen) <= self.most or not chosen <= set(self.ids):
            return False
        return PRIMARY in chosen or (self.alone is not None and chosen == {self.alone})


RULES: dict[str, ProductRule] = {
    "O": ProductRule("0", 1, "STIS has one product, 0"),
    "N": ProductRule(BASE_36[:9], 9, "NICMOS has one to nine products, 0 to 8, 0 among them"),
    "J": ProductRule(
        BASE_36[:19], 19, "ACS has product 0 alone, 0 with some of 1 to I, or 1 alone", alone="1"
    ),
}
"""By the instrument's code: the first character of an association's id."""

ANY = ProductRule(BASE_36, len(BASE_36), "an association has product 0, and may have others")
"""The rule of any other instrument."""


def rule_of(instrument: str) -> ProductRule:
    """The rule of an instrument, by its code."""
    return RULES.get(instrument, ANY)


def check_products(association: str, products: Collection[str]) -> None:
    """Refuse products that an association cannot have.

    Raises:
        UserError: ``products_not_allowed``.
    """
    rule = rule_of(association[0])
    if not rule.allows(products):
        raise UserError(
            "products_not_allowed",
            f"{association} cannot have the products {', '.join(sorted(products)) or 'none'}: {rule.words}",
            "Name products that its instrument makes, each once.",
        )
