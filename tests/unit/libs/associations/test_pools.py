"""Associations from a pool and rules; each known fault of JWST's generator has its test."""

from itertools import permutations
from pathlib import Path

import pytest

from contracts.associations import ExposureMember
from libs.associations.planning import Who, plan
from libs.associations.pools import Existing, Generated, PoolExposure, generate
from libs.associations.rules import Rule, RuleProduct, read_rules
from libs.errors import UserError

from .test_deciding import NOW

DITHER = Rule(name="dither", group_by=("target_name", "filter"), exposure_type="EXP-DTH")
MOSAIC = Rule(name="mosaic", group_by=("target_name",))


def one(number: str, obset: str = "01", instrument: str = "J", **attributes: str) -> PoolExposure:
    member = ExposureMember(program_id="8C0", obset_id=obset, member_num=number, member_type="EXP")
    return PoolExposure(instrument, member, attributes)


POOL = [
    one("01", target_name="M 31", filter="V"),
    one("02", target_name="M 31", filter="V"),
    one("03", target_name="M 31", filter="R"),
    one("04", target_name="M 31", filter="R"),
    one("05", target_name="M 33", filter="R"),
    one("06"),
]


def told(found: Generated) -> list[tuple[str, str | None, str]]:
    return [
        (each.association_id, each.rule, " ".join(member.member_num for member in each.exposures))
        for each in found.plans
    ]


def existing(found: Generated) -> list[Existing]:
    return [Existing(each.association_id, frozenset(m.key for m in each.exposures)) for each in found.plans]


def test_one_exposure_may_be_in_several_associations() -> None:
    found = generate(POOL, [DITHER, MOSAIC], [])
    assert told(found) == [
        ("J8C001010", "dither", "03 04"),
        ("J8C001020", "dither", "01 02"),
        ("J8C001030", "mosaic", "01 02 03 04"),
    ]
    assert found.too_few == {"dither": 1, "mosaic": 1}
    assert {member.member_type for member in found.plans[0].exposures} == {"EXP-DTH"}
    for wanted in found.plans:
        assert plan(wanted, Who("a test", NOW)).head.expected == len(wanted.exposures)


def test_two_rules_that_claim_one_set_make_one_association() -> None:
    again = DITHER.model_copy(update={"name": "again"})
    found = generate(POOL, [DITHER, again], [])
    assert told(found) == told(generate(POOL, [DITHER], []))
    assert [(claim.rule, claim.kept) for claim in found.claims] == [
        ("again", "J8C001010"),
        ("again", "J8C001020"),
    ]


def test_no_name_is_given_twice() -> None:
    here = [Existing("J8C001010", frozenset({"8C001ZZ"})), Existing("J8C001030", frozenset())]
    names = [name for name, *_ in told(generate(POOL, [DITHER, MOSAIC], here))]
    assert names == ["J8C001020", "J8C001040", "J8C001050"]
    twins = [*POOL, one("01", instrument="N", target_name="x"), one("02", instrument="N", target_name="x")]
    all_names = [name for name, *_ in told(generate(POOL[:4] + twins[6:], [DITHER, MOSAIC], []))]
    assert len(set(all_names)) == len(all_names)


def test_the_same_pool_again_makes_nothing_new() -> None:
    first = generate(POOL, [DITHER, MOSAIC], [])
    again = generate(POOL, [DITHER, MOSAIC], existing(first))
    assert again.plans == ()
    assert [claim.kept for claim in again.claims] == [each.association_id for each in first.plans]
    assert again.orphans == first.orphans


def test_an_orphan_is_what_no_association_has_and_counts_once() -> None:
    found = generate(POOL, [DITHER, MOSAIC], [])
    assert found.orphans == ("8C00105", "8C00106")
    assert generate(POOL, [DITHER, DITHER.model_copy(update={"name": "more"})], []).orphans == found.orphans
    by_hand = [Existing("J8C001090", frozenset({"8C00106"}))]
    assert generate(POOL, [DITHER], by_hand).orphans == ("8C00105",)
    assert generate(POOL, [MOSAIC.model_copy(update={"least": 9})], []).orphans == tuple(
        each.member.key for each in POOL
    )


def test_the_order_of_the_pool_does_not_matter() -> None:
    first = generate(POOL, [DITHER, MOSAIC], [])
    for some in list(permutations(POOL))[::97]:
        assert generate(some, [DITHER, MOSAIC], []) == first


def test_exposures_of_two_instruments_or_programs_are_never_together() -> None:
    other = one("07", instrument="N", target_name="M 31", filter="V")
    member = other.member.model_copy(update={"program_id": "9ZZ"})
    third = PoolExposure("J", member, POOL[0].attributes)
    found = generate([*POOL, other, third], [DITHER], [])
    assert told(found) == told(generate(POOL, [DITHER], []))
    assert set(found.orphans) >= {"8C00107", "9ZZ0107"}


def test_a_rule_takes_what_matches_it() -> None:
    rule = Rule(name="red", where={"filter": "R|I"}, group_by=("target_name",), instruments=("J",), least=1)
    assert [names for *_, names in told(generate(POOL, [rule], []))] == ["03 04", "05"]
    assert rule.agreement("N", POOL[2].attributes) is None


def test_an_instrument_is_left_alone_by_rules_whose_products_it_does_not_make() -> None:
    two = Rule(
        name="two",
        group_by=("target_name",),
        products=(RuleProduct(id="0", type="PROD"), RuleProduct(id="1", type="PROD")),
    )
    stis = [one(number, instrument="O", target_name="x") for number in ("01", "02")]
    assert generate(stis, [two], []).plans == ()
    with pytest.raises(ValueError, match="STIS"):
        Rule.model_validate({**two.model_dump(), "instruments": ["O"]})


RULES = """
rules:
  - name: dither
    group_by: [target_name, filter]
    exposure_type: exp-dth
    products: [{id: "0", type: prod-dth}]
"""


def test_rules_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    [rule] = read_rules(path)
    assert (rule.name, rule.exposure_type, rule.products[0].type) == ("dither", "EXP-DTH", "PROD-DTH")


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("group_by", "group_on", "group_on"),
        ("[target_name, filter]", "3", "group_by"),
        ('"0"', '"00"', "products"),
        ('"0"', '"1"', "product 0"),
        ("exposure_type: exp-dth", 'where: {filter: "["}', "regular expression"),
        ("rules:", "laws:", "rules"),
        ("  - name: dither", "  - {name: dither}\n  - name: dither", "one name"),
        ("rules:", "rules: [", "YAML"),
    ],
)
def test_rules_that_make_no_sense_are_refused(tmp_path: Path, old: str, new: str, word: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES.replace(old, new, 1))
    with pytest.raises(UserError) as refused:
        read_rules(path)
    assert refused.value.problem.code == "rules_invalid"
    assert word in refused.value.problem.reason
