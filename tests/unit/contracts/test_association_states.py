"""The tables of what may follow what in an association: every legal step, and every illegal one."""

from itertools import product

import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.association_ids import (
    AssociationId,
    association_id,
    base_36,
    file_name,
    is_association_id,
    product_member_num,
    product_name,
)
from contracts.association_states import (
    ASSOCIATION_STEPS,
    MEMBER_STEPS,
    PRODUCT_STEPS,
    AssociationState,
    AssociationStep,
    IllegalStep,
    MemberStatus,
    ProductStatus,
    association_after,
    check_member,
    check_product,
)

OPEN, COLLECTED, FAILED = AssociationState
AFTER = {
    (AssociationStep.EXTENDED, OPEN): OPEN,
    (AssociationStep.ARRIVED, OPEN): OPEN,
    (AssociationStep.COLLECTED, OPEN): COLLECTED,
    (AssociationStep.FAILED, OPEN): FAILED,
    (AssociationStep.REOPENED, COLLECTED): OPEN,
    (AssociationStep.REOPENED, FAILED): OPEN,
    (AssociationStep.ORPHANED, COLLECTED): COLLECTED,
    (AssociationStep.ORPHANED, FAILED): FAILED,
    (AssociationStep.MADE, OPEN): OPEN,
    (AssociationStep.MADE, COLLECTED): COLLECTED,
}
"""Written out: the table in the contracts has to say the same."""

MEMBERS = {
    (AssociationStep.ARRIVED, "U", "U"),
    (AssociationStep.COLLECTED, "U", "C"),
    (AssociationStep.COLLECTED, "U", "O"),
    (AssociationStep.FAILED, "U", "O"),
    (AssociationStep.REOPENED, "C", "U"),
    (AssociationStep.REOPENED, "O", "U"),
    (AssociationStep.ORPHANED, "O", "O"),
}

PRODUCTS = {
    (AssociationStep.COLLECTED, "U", "C"),
    (AssociationStep.COLLECTED, "U", "N"),
    (AssociationStep.COLLECTED, "X", "C"),
    (AssociationStep.COLLECTED, "X", "N"),
    (AssociationStep.FAILED, "U", "N"),
    (AssociationStep.FAILED, "X", "N"),
    (AssociationStep.MADE, "U", "U"),
    (AssociationStep.MADE, "X", "U"),
    (AssociationStep.MADE, "N", "C"),
    (AssociationStep.MADE, "C", "C"),
    (AssociationStep.MADE, "X", "C"),
    (AssociationStep.REOPENED, "C", "U"),
    (AssociationStep.REOPENED, "N", "U"),
    (AssociationStep.REOPENED, "X", "U"),
}


@pytest.mark.parametrize(("step", "before"), list(product(AssociationStep, AssociationState)))
def test_an_association_goes_where_the_table_says_and_nowhere_else(
    step: AssociationStep, before: AssociationState
) -> None:
    if (step, before) in AFTER:
        assert association_after(step, before) is AFTER[step, before]
    else:
        with pytest.raises(IllegalStep):
            association_after(step, before)


def test_an_exposure_goes_where_the_table_says_and_nowhere_else() -> None:
    for step, before, after in product(AssociationStep, MemberStatus, MemberStatus):
        if (step, before.value, after.value) in MEMBERS:
            assert check_member(step, before, after) is after
        else:
            with pytest.raises(IllegalStep):
                check_member(step, before, after)


def test_a_product_goes_where_the_table_says_and_nowhere_else() -> None:
    for step, before, after in product(AssociationStep, ProductStatus, ProductStatus):
        if (step, before.value, after.value) in PRODUCTS:
            assert check_product(step, before, after) is after
        else:
            with pytest.raises(IllegalStep):
                check_product(step, before, after)


def test_no_exposure_becomes_a_product_and_no_product_an_exposure() -> None:
    assert all(MemberStatus.PRODUCT not in after for after in MEMBER_STEPS.values())
    assert all(ProductStatus.EXPOSURE not in after for after in PRODUCT_STEPS.values())
    assert all(ProductStatus.UNKNOWN not in after for after in PRODUCT_STEPS.values())


def test_every_step_is_in_the_table_and_leads_to_one_state() -> None:
    assert set(ASSOCIATION_STEPS) == set(AssociationStep)
    for after in ASSOCIATION_STEPS.values():
        sources = [before for froms in after.values() for before in froms]
        assert len(set(sources)) == len(sources)


def test_what_is_called_m_is_n() -> None:
    assert ProductStatus("M") is ProductStatus.NOT_COLLECTED
    with pytest.raises(ValueError, match="Z"):
        ProductStatus("Z")


@pytest.mark.parametrize("told", ["n4k601010", "N4K601010", "J8C0A1ZZ0"])
def test_an_association_id_is_told_in_any_case_and_kept_in_upper_case(told: str) -> None:
    assert TypeAdapter(AssociationId).validate_python(told) == told.upper()
    assert is_association_id(told)


@pytest.mark.parametrize(
    "told",
    [
        "",
        "N4K60101",
        "N4K6010100",
        "N4K601011",
        "44K601010",
        "N4K60101O",
        "N4K60-010",
        "ſ4K601010",
        " N4K601010",
    ],
)
def test_what_is_no_association_id_is_refused(told: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(AssociationId).validate_python(told)
    assert not is_association_id(told)


def test_names_are_made_as_opus_makes_them() -> None:
    assert association_id("N", "4K6", "01", 1) == "N4K601010"
    assert association_id("N", "4K6", "01", 36) == "N4K601100"
    assert (base_36(35, 1), base_36(0, 2), base_36(1295, 2)) == ("Z", "00", "ZZ")
    assert product_name("J8C0A1010", "1") == "J8C0A1011"
    assert product_member_num("J8C0A1010", "1") == "011"
    assert file_name("J8C0A1011") == "j8c0a1011_asn.fits"


def test_a_number_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="1296"):
        base_36(1296, 2)
