"""Association tables in FITS, and associations in JSON: written, read, and refused."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from contracts.association_states import AssociationState, CollectionReason, ProductStatus
from contracts.base import derived_id
from libs.associations import deciding, documents, tables
from libs.associations.association import Association, after
from libs.associations.deciding import Arrival
from libs.associations.planning import Who, plan
from libs.errors import UserError
from tests.support.histories.associations import exposures, planned

NOW = datetime(2026, 9, 1, tzinfo=UTC)
WHO = Who("a test", NOW)
NAME = "J4K601010"
MEMBERS = exposures(3)


def collected() -> Association:
    """Two of three exposures, one of two products made."""
    known = after(None, plan(planned(NAME, MEMBERS, NOW), WHO))
    there = [Arrival(one, derived_id("executed_obs_unit", one.key), NOW) for one in MEMBERS[:2]]
    for event in (
        deciding.arrive(known, there),
        deciding.make(known, "1", derived_id("file", 1), WHO),
    ):
        assert event is not None
        head = event.head.model_copy(update={"turn": known.head.turn + 1})
        known = after(known, event.model_copy(update={"head": head}))
    return after(known, deciding.collect(known, CollectionReason.DEADLINE, WHO))


def written(tmp_path: Path, known: Association) -> Path:
    path = tmp_path / "j4k601010_asn.fits"
    path.write_bytes(tables.to_fits(known))
    return path


def test_astropy_reads_what_is_written(tmp_path: Path) -> None:
    path = written(tmp_path, collected())
    table = Table.read(path, hdu="ASN")
    assert table.colnames == ["MEMNAME", "MEMTYPE", "MEMPRSNT"]
    rows = [(str(row["MEMNAME"]), str(row["MEMTYPE"]), bool(row["MEMPRSNT"])) for row in table]
    assert rows == [
        ("J4K60101", "EXP-DTH", True),
        ("J4K60102", "EXP-DTH", True),
        ("J4K60103", "EXP-DTH", False),
        ("J4K601010", "PROD-DTH", False),
        ("J4K601011", "PROD-RPT", True),
    ]
    with fits.open(path, checksum=True) as hdus:
        hdus.verify("exception")
        header = hdus[0].header
        assert [column.format for column in hdus["ASN"].columns] == ["14A", "14A", "L"]
    assert (header["ASN_ID"], header["ROOTNAME"]) == (NAME, NAME.lower())
    assert (header["FILENAME"], header["ASN_REV"]) == ("j4k601010_asn.fits", 1)


def test_what_is_written_is_read_back_as_a_plan(tmp_path: Path) -> None:
    name, rows = tables.read_fits(written(tmp_path, collected()))
    wanted = tables.plan_of(name, rows, NOW)
    assert (wanted.association_id, wanted.expected) == (NAME, 3)
    assert wanted.exposures == MEMBERS
    assert [(one.product_id, one.member_type) for one in wanted.products] == [
        ("0", "PROD-DTH"),
        ("1", "PROD-RPT"),
    ]
    known = after(None, plan(wanted, WHO))
    assert tables.members_of(known)[0] == tables.Member("J4K60101", "EXP-DTH", present=False)


def archived(path: Path, names: list[str], kinds: list[str], **header: str) -> Path:
    """A table as HST's archive has them."""
    columns = [
        fits.Column("MEMNAME", "14A", array=np.array(names)),
        fits.Column("MEMTYPE", "14A", array=np.array(kinds)),
        fits.Column("MEMPRSNT", "L", array=np.array([True] * len(names))),
    ]
    primary = fits.PrimaryHDU()
    primary.header.update(header)
    fits.HDUList([primary, fits.BinTableHDU.from_columns(columns)]).writeto(path)
    return path


def test_a_table_of_the_archive_is_read(tmp_path: Path) -> None:
    names = ["j8c0a1qaq", "j8c0a1qbq", "j8c0a1qcq", "j8c0a1011", "j8c0a1010"]
    kinds = ["EXP_CR1", "exp-cr1", "EXP-CR2", "PROD-CR1", "PROD-DTH"]
    name, rows = tables.read_fits(archived(tmp_path / "a.fits", names, kinds))
    wanted = tables.plan_of(name, rows, None)
    assert name == "J8C0A1010"
    assert [one.key for one in wanted.exposures] == ["8C0A1QA", "8C0A1QB", "8C0A1QC"]
    links = {link.product_id: link.exposures for link in wanted.links}
    assert links == {"1": ("8C0A1QA", "8C0A1QB"), "0": ("8C0A1QA", "8C0A1QB", "8C0A1QC")}
    assert plan(wanted, WHO).head.expected == 3


def test_exposures_of_stis_have_roles_of_their_own(tmp_path: Path) -> None:
    names = ["o8c0a1qaq", "o8c0a1qbq", "o8c0a1010"]
    path = archived(tmp_path / "a.fits", names, ["CRSPLIT", "AUTO-WAVECAL", "PRODUCT"], ASN_ID="o8c0a1010")
    wanted = tables.plan_of(*tables.read_fits(path), None)
    assert [one.member_type for one in wanted.exposures] == ["CRSPLIT", "AUTO-WAVECAL"]
    assert [link.exposures for link in wanted.links] == [("8C0A1QA", "8C0A1QB")]
    assert plan(wanted, WHO).products[0].member_type == "PRODUCT"


@pytest.mark.parametrize(
    ("names", "kinds", "code"),
    [
        (["j8c0a1qaq"], ["EXP-CR1"], "no_association_id"),
        (["", "j8c0a1010"], ["EXP-CR1", "PROD-DTH"], "member_invalid"),
        (["j8c0a1qaq", "j8c0a1010"], ["", "PROD-DTH"], "member_invalid"),
        (["j8c0a1qaq", "j8c0a1010"], ["A-VERY-LONG-RL", "PROD-DTH"], "member_invalid"),
        (["n8c0a1qaq", "j8c0a1010"], ["EXP-CR1", "PROD-DTH"], "member_invalid"),
        (["j8c0a1", "j8c0a1010"], ["EXP-CR1", "PROD-DTH"], "member_invalid"),
        (["j8c0a1q-q", "j8c0a1010"], ["EXP-CR1", "PROD-DTH"], "member_invalid"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(
    tmp_path: Path, names: list[str], kinds: list[str], code: str
) -> None:
    path = archived(tmp_path / "a.fits", names, kinds)
    with pytest.raises(UserError) as told:
        tables.plan_of(*tables.read_fits(path), None)
    assert told.value.problem.code == code


def test_what_is_no_association_table_is_refused(tmp_path: Path) -> None:
    image, text, cut = tmp_path / "image.fits", tmp_path / "text.fits", tmp_path / "cut.fits"
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(image)
    text.write_text("this is no FITS file")
    cut.write_bytes(tables.to_fits(collected())[:3000])
    for path in (image, text, cut, tmp_path / "nothing.fits"):
        with pytest.raises(UserError) as told:
            tables.read_fits(path)
        assert told.value.problem.code in {"not_an_association_table", "file_unreadable"}


def saved(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "a.json"
    document = json.loads(documents.to_json(collected()))
    path.write_text(json.dumps({**document, **changes}))
    return path


def test_json_keeps_everything_but_what_means_nothing_elsewhere(tmp_path: Path) -> None:
    document = documents.read_json(saved(tmp_path))
    assert documents.to_json(collected()) == document.model_dump_json(indent=2) + "\n"
    known = after(None, documents.as_recorded(document))
    assert known.head.state is AssociationState.COLLECTED
    assert (known.head.turn, known.head.origin) == (1, "import")
    assert known.head.collection == collected().head.collection
    assert [one.member_status.value for one in known.exposures.values()] == ["C", "C", "O"]
    assert not any(one.there for one in known.exposures.values())
    assert known.links == collected().links


def test_an_open_association_is_planned_anew(tmp_path: Path) -> None:
    known = after(None, plan(planned(NAME, MEMBERS, NOW), WHO))
    path = tmp_path / "open.json"
    path.write_text(documents.to_json(known))
    wanted = documents.as_plan(documents.read_json(path), NOW + timedelta(days=3))
    again = after(None, plan(wanted, WHO))
    assert (again.exposures, again.products, again.links) == (known.exposures, known.products, known.links)
    assert (again.head.deadline, again.head.expected) == (NOW + timedelta(days=3), 3)


def test_an_old_record_may_say_m_and_x(tmp_path: Path) -> None:
    products = [
        {"product_id": "0", "member_type": "PROD-DTH", "product_status": "M"},
        {"product_id": "1", "member_type": "PROD-RPT", "product_status": "X"},
    ]
    known = after(None, documents.as_recorded(documents.read_json(saved(tmp_path, products=products))))
    assert known.products["0"].product_status is ProductStatus.NOT_COLLECTED
    assert known.products["1"].product_status is ProductStatus.UNKNOWN
    again = after(known, deciding.reopen(known, WHO, None))
    assert {one.product_status for one in again.products.values()} == {ProductStatus.UNCOLLECTED}


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "something else"},
        {"version": 2},
        {"exposures": [{"program_id": "4K6"}]},
        {"links": [{"product_id": "0", "exposures": ["4K601ZZ"]}]},
        {"links": [{"product_id": "9", "exposures": []}]},
        {"products": [{"product_id": "0", "member_type": "PROD", "product_status": "E"}]},
        {"more": 1},
    ],
)
def test_json_that_makes_no_sense_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(UserError) as told:
        documents.read_json(saved(tmp_path, **changes))
    assert told.value.problem.code == "not_an_association"


def test_an_exposure_that_stands_twice_is_refused(tmp_path: Path) -> None:
    twice = json.loads(documents.to_json(collected()))["exposures"]
    with pytest.raises(UserError):
        documents.read_json(saved(tmp_path, exposures=[*twice, twice[0]]))


@pytest.mark.parametrize("text", ["", "{", "[]", "NaN", "[" * 100_000])
def test_what_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UserError) as told:
        documents.read_json(path)
    assert told.value.problem.code == "not_an_association"
