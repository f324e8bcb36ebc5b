"""The names of associations, exposures and products: base 36, as OPUS has them.

Upper case in messages and tables, lower case in the names of files. Whatever case is told is taken.
"""

import re
from typing import Annotated

from pydantic import BeforeValidator, StringConstraints

BASE_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _upper(text: object) -> object:
    return text.upper() if isinstance(text, str) and text.isascii() else text


_UPPER = BeforeValidator(_upper)

AssociationId = Annotated[str, _UPPER, StringConstraints(pattern=r"^[A-Z][0-9A-Z]{7}0$")]
"""IPPPSSAAa: instrument, program (3), observation set of the first exposure (2), number in that set (2), 0."""

ProgramId = Annotated[str, _UPPER, StringConstraints(pattern=r"^[0-9A-Z]{3}$")]
"""A program, base 36."""

ObsetId = Annotated[str, _UPPER, StringConstraints(pattern=r"^[0-9A-Z]{2}$")]
"""An observation set of a program, base 36."""

ExposureNumber = Annotated[str, _UPPER, StringConstraints(pattern=r"^[0-9A-Z]{2}$")]
"""An exposure's number in its observation set, base 36: its member_num."""

ProductId = Annotated[str, _UPPER, StringConstraints(pattern=r"^[0-9A-Z]$")]
"""A product of an association: the last character of its name."""

ExposureName = Annotated[str, _UPPER, StringConstraints(pattern=r"^[A-Z][0-9A-Z]{7}$")]
"""IPPPSSOO: instrument, program (3), observation set (2), number (2)."""

ExposureKey = Annotated[str, _UPPER, StringConstraints(pattern=r"^[0-9A-Z]{7}$")]
"""PPPSSOO: what exposures are matched by, whatever instrument made them."""

MemberType = Annotated[str, _UPPER, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9_-]{0,11}$")]
"""The role of a member, at most 12 characters: EXP-DTH, PROD-DTH, …"""

PRIMARY = "0"
"""The product id of the primary product, and the last character of an association's id."""


def is_association_id(text: str) -> bool:
    """Whether a text is the id of an association, in either case."""
    return text.isascii() and re.fullmatch(r"[A-Z][0-9A-Z]{7}0", text.upper()) is not None


def association_id(instrument: str, program: str, obset: str, number: int) -> str:
    """The id of the association of that number in an observation set.

    Args:
        instrument: One letter.
        program: 3 characters.
        obset: 2 characters.
        number: From 1 to 1295.

    Raises:
        ValueError: The number does not fit into two characters.
    """
    return f"{instrument}{program}{obset}{base_36(number, 2)}{PRIMARY}"


def base_36(number: int, width: int) -> str:
    """A number in base 36, with leading zeros.

    Raises:
        ValueError: It is negative, or does not fit.
    """
    if not 0 <= number < 36**width:
        raise ValueError(f"{number} is no number of {width} base-36 digits")
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, 36)
        digits = BASE_36[digit] + digits
    return digits


def product_name(association: str, product: str) -> str:
    """The name of a product's data set: the first 8 characters of the association, and the product's own."""
    return association[:8] + product


def product_member_num(association: str, product: str) -> str:
    """A product's member_num: the association's number in its observation set, and the product's own."""
    return association[6:8] + product


def file_name(name: str, suffix: str = "asn.fits") -> str:
    """What a file of a data set is called, in lower case."""
    return f"{name.lower()}_{suffix}"
