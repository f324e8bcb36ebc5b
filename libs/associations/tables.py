"""Association tables: FITS binary tables with MEMNAME, MEMTYPE and MEMPRSNT, as HST's pipelines and archive have them.

A product's name is the first 8 characters of the association and its product id; an exposure's is IPPPSSOO, and may
have a ninth character (how it was transmitted), which is no part of its identity and is not kept.
"""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from pydantic import TypeAdapter, ValidationError

from contracts.association_ids import AssociationId, file_name, is_association_id, product_name
from contracts.association_states import AssociationOrigin, MemberStatus, ProductStatus
from contracts.associations import ExposureMember, ProductLink, ProductMember
from libs.associations.association import Association
from libs.associations.planning import Plan
from libs.errors import UserError

COLUMNS = ("MEMNAME", "MEMTYPE", "MEMPRSNT")
WIDTH = 14
"""Characters of a name or type in such tables."""

MOST_BYTES = 16 * 1024 * 1024
"""Of a table that is read: a thousand members need a hundredth of it."""

EXPOSURE_NAMES = (8, 9)
PRODUCT, EXPOSURE = "PROD", "EXP"


@dataclass(frozen=True, slots=True)
class Member:
    """A row of an association table.

    Attributes:
        present: An exposure that is there, or a product that was made.
    """

    name: str
    type: str
    present: bool


def members_of(known: Association) -> list[Member]:
    """The rows of an association: its exposures, then its products, each by name."""
    instrument = known.id[0]
    exposures = [
        Member(f"{instrument}{one.key}", one.member_type, _present(one)) for one in known.exposures.values()
    ]
    products = [
        Member(
            product_name(known.id, one.product_id),
            one.member_type,
            one.product_status is ProductStatus.COLLECTED,
        )
        for one in known.products.values()
    ]
    return sorted(exposures, key=lambda row: row.name) + sorted(products, key=lambda row: row.name)


def _present(one: ExposureMember) -> bool:
    """A late arrival is there, but not in what was collected."""
    return one.member_status is MemberStatus.COLLECTED or (
        one.there and one.member_status is MemberStatus.UNCOLLECTED
    )


def to_fits(known: Association) -> bytes:
    """An association as a FITS file."""
    rows = members_of(known)
    columns = [
        fits.Column("MEMNAME", f"{WIDTH}A", array=np.array([row.name for row in rows], dtype=f"S{WIDTH}")),
        fits.Column("MEMTYPE", f"{WIDTH}A", array=np.array([row.type for row in rows], dtype=f"S{WIDTH}")),
        fits.Column("MEMPRSNT", "L", array=np.array([row.present for row in rows], dtype=bool)),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="ASN", ver=1)
    primary = fits.PrimaryHDU()
    primary.header["FILENAME"] = (file_name(known.id), "name of file")
    primary.header["ROOTNAME"] = (known.id.lower(), "rootname of the data set")
    primary.header["ASN_ID"] = (known.id, "unique identifier of the association")
    primary.header["ASN_STAT"] = (known.head.state.value, "state of the association")
    primary.header["ASN_REV"] = (known.head.revision, "revision of the association")
    made = io.BytesIO()
    fits.HDUList([primary, table]).writeto(made, checksum=True)
    return made.getvalue()


def read_fits(path: Path) -> tuple[str, list[Member]]:
    """The id and the rows of an association table.

    Raises:
        UserError: ``file_unreadable``, ``not_an_association_table``, ``member_invalid`` or ``no_association_id``.
    """
    content = _content(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", AstropyWarning)  # truncated, or not to the standard
            with fits.open(io.BytesIO(content), lazy_load_hdus=False) as hdus:
                return _read(path, hdus)
    except (OSError, ValueError, TypeError, LookupError, fits.VerifyError, AstropyWarning) as error:
        raise _no_table(path, f"it cannot be read as FITS: {error}") from error


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UserError(
            "file_unreadable", f"{path} cannot be read: {error}", "Name a file that is there."
        ) from error
    if len(content) > MOST_BYTES:
        raise _no_table(path, f"it has more than {MOST_BYTES} bytes")
    return content


def _read(path: Path, hdus: Any) -> tuple[str, list[Member]]:  # noqa: ANN401  astropy has no types
    table = next((one for one in hdus if _is_association(one)), None)
    if table is None:
        raise _no_table(path, f"no table in it has the columns {', '.join(COLUMNS)}")
    rows = [_row(path, number, row) for number, row in enumerate(table.data, start=1)]
    return _id_in(path, hdus[0].header, rows), rows


def _is_association(hdu: Any) -> bool:  # noqa: ANN401  astropy has no types
    return isinstance(hdu, fits.BinTableHDU) and {*COLUMNS} <= {name.upper() for name in hdu.columns.names}


def _no_table(path: Path, reason: str) -> UserError:
    return UserError(
        "not_an_association_table",
        f"{path.name} is no association table: {reason}",
        "Give a FITS file with one row for each exposure and product, or JSON as export writes it.",
    )


def _row(path: Path, number: int, row: Any) -> Member:  # noqa: ANN401  astropy has no types
    name, kind = str(row["MEMNAME"]).strip().upper(), str(row["MEMTYPE"]).strip().upper().replace("_", "-")
    if not name or not kind:
        raise UserError(
            "member_invalid",
            f"row {number} of {path.name} has MEMNAME {name!r} and MEMTYPE {kind!r}",
            "MEMNAME names a data set, MEMTYPE its role; a product's begins with PROD.",
        )
    return Member(name, kind, bool(row["MEMPRSNT"]))


def _id_in(path: Path, header: Any, rows: Sequence[Member]) -> str:  # noqa: ANN401  astropy has no types
    """ASN_ID of the primary header, or what the products' names begin with."""
    told = str(header.get("ASN_ID", "")).strip().upper()
    if is_association_id(told):
        return told
    stems = {row.name[:8] for row in rows if row.type.startswith(PRODUCT)}
    if len(stems) == 1 and is_association_id(f"{next(iter(stems))}0"):
        return f"{stems.pop()}0"
    raise UserError(
        "no_association_id",
        f"{path.name} does not say which association it is: ASN_ID is {told!r}",
        "Write ASN_ID into the primary header: IPPPSSAA0.",
    )


def plan_of(name: str, rows: Sequence[Member], deadline: datetime | None) -> Plan:
    """An association that was read from a table, as one that is planned here.

    Which exposures are there is not taken over: they are there when their observations are.

    Raises:
        UserError: ``member_invalid``.
    """
    association = TypeAdapter(AssociationId).validate_python(name)
    exposures = tuple(_exposure(association, row) for row in rows if not row.type.startswith(PRODUCT))
    products = tuple(_product(association, row) for row in rows if row.type.startswith(PRODUCT))
    return Plan(
        association_id=association,
        origin=AssociationOrigin.IMPORT,
        exposures=exposures,
        products=products,
        links=tuple(_link(product, exposures) for product in products),
        expected=len(exposures) or None,
        deadline=deadline,
    )


def _exposure(association: str, row: Member) -> ExposureMember:
    if len(row.name) not in EXPOSURE_NAMES or row.name[0] != association[0]:
        raise _invalid(association, row, "an exposure is called IPPPSSOO, of the association's instrument")
    try:
        return ExposureMember(
            program_id=row.name[1:4], obset_id=row.name[4:6], member_num=row.name[6:8], member_type=row.type
        )
    except ValidationError as error:
        raise _invalid(association, row, error.errors()[0]["msg"]) from error


def _product(association: str, row: Member) -> ProductMember:
    if len(row.name) != len(association) or row.name[:8] != association[:8]:
        raise _invalid(association, row, f"a product of it is called {association[:8]} and its product id")
    try:
        return ProductMember(product_id=row.name[8], member_type=row.type)
    except ValidationError as error:
        raise _invalid(association, row, error.errors()[0]["msg"]) from error


def _invalid(association: str, row: Member, why: str) -> UserError:
    return UserError(
        "member_invalid",
        f"{association} has a member {row.name!r} of type {row.type!r}: {why}",
        "Correct its MEMNAME or MEMTYPE.",
    )


def _link(product: ProductMember, exposures: Sequence[ExposureMember]) -> ProductLink:
    """PROD-CR1 is made of all that is EXP-CR1; what has no exposures of its own kind is made of all."""
    kind = product.member_type.removeprefix(PRODUCT)
    own = [one.key for one in exposures if one.member_type.removeprefix(EXPOSURE) == kind]
    keys = own if kind and own else [one.key for one in exposures]
    return ProductLink(product_id=product.product_id, exposures=tuple(keys))
