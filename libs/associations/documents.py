"""Associations as JSON: everything that is known of one, read back as it was written."""

import json
from datetime import datetime
from pathlib import Path

from pydantic import Field, ValidationError

from contracts.association_states import AssociationOrigin, MemberStatus
from contracts.associations import AssociationPlanned, ExposureMember, Head, ProductLink, ProductMember
from contracts.base import Message
from libs.associations.association import Association
from libs.associations.planning import Plan
from libs.associations.products import check_products
from libs.errors import UserError

FORMAT = "chasqui-association"


class Document(Message):
    """An association in a file.

    Attributes:
        format: Always ``chasqui-association``.
        version: Of the format.
    """

    format: str = Field(pattern=f"^{FORMAT}$")
    version: int = Field(ge=1, le=1)
    head: Head
    exposures: tuple[ExposureMember, ...]
    products: tuple[ProductMember, ...]
    links: tuple[ProductLink, ...] = ()


def to_json(known: Association) -> str:
    """An association as a document."""
    document = Document(
        format=FORMAT,
        version=1,
        head=known.head,
        exposures=tuple(known.exposures[key] for key in sorted(known.exposures)),
        products=tuple(known.products[key] for key in sorted(known.products)),
        links=tuple(
            ProductLink(product_id=product, exposures=tuple(sorted(keys)))
            for product, keys in sorted(known.links.items())
        ),
    )
    return document.model_dump_json(indent=2) + "\n"


def read_json(path: Path) -> Document:
    """The document in a file.

    Raises:
        UserError: ``file_unreadable`` or ``not_an_association``, saying where it is wrong.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("file_unreadable", f"{path} cannot be read: {error}", "Name a JSON file.") from error
    try:
        document = Document.model_validate(json.loads(text, parse_constant=_refuse))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise _malformed(path, f"{where}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise _malformed(path, f"it is no JSON: {error}") from error
    _check(path, document)
    return document


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")


def _malformed(path: Path, reason: str) -> UserError:
    return UserError(
        "not_an_association",
        f"{path.name} is no association: {reason}",
        "Give a file as chasqui association export --format json writes it.",
    )


def _check(path: Path, document: Document) -> None:
    keys = [one.key for one in document.exposures]
    products = [one.product_id for one in document.products]
    linked = {key for link in document.links for key in link.exposures}
    if len(set(keys)) < len(keys):
        raise _malformed(path, "an exposure is in it twice")
    if not linked <= set(keys) or not {link.product_id for link in document.links} <= set(products):
        raise _malformed(path, "its links name what is no member of it")
    check_products(document.head.association_id, products)


def as_plan(document: Document, deadline: datetime) -> Plan:
    """An association that was open where it was written: it is planned here, and waits for its observations here."""
    exposures = tuple(
        one.model_copy(
            update={
                "member_status": MemberStatus.UNCOLLECTED,
                "executed_obs_unit_id": None,
                "arrived_at": None,
            }
        )
        for one in document.exposures
    )
    return Plan(
        association_id=document.head.association_id,
        origin=AssociationOrigin.IMPORT,
        exposures=exposures,
        products=tuple(
            ProductMember(product_id=one.product_id, member_type=one.member_type) for one in document.products
        ),
        links=document.links,
        expected=document.head.expected,
        deadline=deadline,
        rule=document.head.rule,
    )


def as_recorded(document: Document) -> AssociationPlanned:
    """The event that takes over an association that was collected, with everything that was recorded of it, old records' X included.

    Observations and data sets of another observatory's ops-db mean nothing here: they are left out.
    """
    head = document.head.model_copy(update={"turn": 1, "origin": AssociationOrigin.IMPORT})
    exposures = tuple(
        one.model_copy(update={"executed_obs_unit_id": None, "arrived_at": None})
        for one in document.exposures
    )
    products = tuple(one.model_copy(update={"dataset": None, "made_at": None}) for one in document.products)
    return AssociationPlanned(
        head=Head.model_validate(head.model_dump()),
        exposures=exposures,
        products=products,
        links=document.links,
    )
