"""What becomes of an association."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts.association_states import AssociationState, CollectionReason, MemberStatus, ProductStatus
from contracts.associations import MOST_EXPOSURES, ExposureMember, ProductLink, ProductMember
from contracts.base import derived_id
from libs.associations import deciding, planning
from libs.associations.association import Association, after
from libs.associations.deciding import Arrival
from libs.associations.planning import Who
from libs.associations.products import check_products
from libs.errors import UserError
from tests.support.histories.associations import exposures, planned

NOW = datetime(2026, 9, 1, tzinfo=UTC)
WHO = Who("an operator", NOW)
NAME = "J4K601010"
MEMBERS = exposures(3)


def begun(count: int = 3) -> Association:
    return after(None, planning.plan(planned(NAME, exposures(count), NOW), WHO))


def arrival(member: ExposureMember, transmission: int = 1) -> Arrival:
    return Arrival(member, derived_id("executed_obs_unit", member.key, transmission), NOW)


def with_here(known: Association, *numbers: int) -> Association:
    event = deciding.arrive(known, [arrival(MEMBERS[n]) for n in numbers])
    assert event is not None
    return after(known, event)


def collected(known: Association, reason: CollectionReason = CollectionReason.FORCED) -> Association:
    return after(known, deciding.collect(known, reason, WHO))


def statuses(known: Association) -> str:
    rows = sorted(known.exposures.values(), key=lambda one: one.key)
    return "".join(row.member_status.value for row in rows)


def test_it_is_complete_when_every_exposure_is_there() -> None:
    two = with_here(begun(), 0, 1)
    assert deciding.due(two, NOW) is None
    assert deciding.due(with_here(two, 2), NOW) is CollectionReason.COMPLETE


def test_it_is_not_complete_as_long_as_more_are_expected_or_nobody_knows_how_many() -> None:
    for expected in (4, None):
        known = with_here(begun(), 0, 1, 2)
        waiting = Association(
            known.head.model_copy(update={"expected": expected}), known.exposures, known.products
        )
        assert deciding.due(waiting, NOW) is None
        assert deciding.due(waiting, NOW + timedelta(days=1)) is CollectionReason.DEADLINE


def test_its_deadline_comes_to_the_second() -> None:
    deadline = begun().head.deadline
    assert deadline is not None
    assert deciding.due(begun(), deadline - timedelta(seconds=1)) is None
    assert deciding.due(begun(), deadline) is CollectionReason.DEADLINE


def test_every_row_is_decided_together_and_a_missing_exposure_is_a_warning() -> None:
    event = deciding.collect(with_here(begun(), 0, 2), CollectionReason.DEADLINE, WHO)
    known = after(begun(), event)
    assert known.head.state is AssociationState.COLLECTED
    assert statuses(known) == "COC"
    assert {one.product_status for one in known.products.values()} == {ProductStatus.NOT_COLLECTED}
    assert (len(event.exposures), len(event.products)) == (3, 2)
    assert known.head.problem is not None
    assert known.head.problem.code == "exposures_missing"
    assert known.head.collection is not None
    assert known.head.collection.missing == 1
    assert (known.head.collection.reason, known.head.collection.actor) == (
        CollectionReason.DEADLINE,
        "an operator",
    )


def test_exposures_that_were_never_named_are_missing_too() -> None:
    known = with_here(begun(2), 0, 1)
    waiting = replace(known, head=known.head.model_copy(update={"expected": 3}))
    assert not waiting.complete
    head = deciding.collect(waiting, CollectionReason.FORCED, WHO).head
    assert head.collection is not None
    assert head.collection.missing == 1
    assert head.problem is not None
    assert head.problem.reason == f"1 exposure of {NAME} missing when it was collected"


def test_a_complete_collection_has_no_problem() -> None:
    assert collected(with_here(begun(), 0, 1, 2)).head.problem is None


def test_with_no_exposure_it_fails() -> None:
    known = collected(begun())
    assert known.head.state is AssociationState.FAILED
    assert known.head.problem is not None
    assert known.head.problem.code == "no_exposures"
    assert statuses(known) == "OOO"


def test_a_product_is_collected_only_if_its_data_set_was_made() -> None:
    known = with_here(begun(), 0, 1, 2)
    made = deciding.make(known, "1", derived_id("file", 1), WHO)
    assert made is not None
    assert made.products[0].product_status is ProductStatus.UNCOLLECTED
    known = collected(after(known, made))
    assert known.products["1"].product_status is ProductStatus.COLLECTED
    assert known.products["0"].product_status is ProductStatus.NOT_COLLECTED
    late = deciding.make(known, "0", derived_id("file", 0), WHO)
    assert late is not None
    assert after(known, late).products["0"].product_status is ProductStatus.COLLECTED
    assert deciding.make(after(known, late), "0", derived_id("file", 0), WHO) is None


def test_nothing_is_made_of_nothing_nor_of_what_is_no_product() -> None:
    with pytest.raises(UserError) as told:
        deciding.make(collected(begun()), "0", derived_id("file", 0), WHO)
    assert told.value.problem.code == "nothing_collected"
    with pytest.raises(UserError) as told:
        deciding.make(begun(), "7", derived_id("file", 0), WHO)
    assert told.value.problem.code == "product_unknown"


def test_it_is_collected_once() -> None:
    with pytest.raises(UserError) as told:
        deciding.collect(collected(begun()), CollectionReason.FORCED, WHO)
    assert told.value.problem.code == "not_open"


def test_the_same_exposure_again_is_no_new_member() -> None:
    known = with_here(begun(), 0)
    assert deciding.arrive(known, [arrival(MEMBERS[0]), arrival(MEMBERS[0], transmission=2)]) is None
    twice = deciding.arrive(known, [arrival(MEMBERS[1]), arrival(MEMBERS[1], transmission=2)])
    assert twice is not None
    [row] = twice.exposures
    assert row.executed_obs_unit_id == arrival(MEMBERS[1]).unit
    assert deciding.extend(known, MEMBERS[0], 3) is None


def test_a_late_arrival_is_an_orphan_once_and_reopening_takes_it() -> None:
    known = collected(with_here(begun(), 0, 1))
    assert deciding.arrive(known, [arrival(MEMBERS[2])]) is None
    noted = deciding.orphan(known, arrival(MEMBERS[2]))
    assert noted is not None
    known = after(known, noted)
    assert statuses(known) == "CCO"
    assert deciding.orphan(known, arrival(MEMBERS[2], transmission=2)) is None
    assert deciding.orphan(known, arrival(MEMBERS[0], transmission=2)) is None
    known = after(known, deciding.reopen(known, WHO, None))
    assert (known.head.state, known.head.revision) == (AssociationState.OPEN, 2)
    assert (statuses(known), known.head.problem, known.head.collection) == ("UUU", None, None)
    assert deciding.due(known, NOW) is CollectionReason.COMPLETE
    assert statuses(collected(known)) == "CCC"


def test_an_exposure_that_nobody_expected_is_an_orphan_of_what_was_collected() -> None:
    known = collected(with_here(begun(2), 0, 1))
    assert deciding.extend(known, MEMBERS[2], None) is None
    noted = deciding.orphan(known, arrival(MEMBERS[2]))
    assert noted is not None
    assert noted.exposures[0].member_status is MemberStatus.ORPHAN


def test_what_is_open_is_not_opened() -> None:
    with pytest.raises(UserError) as told:
        deciding.reopen(begun(), WHO, None)
    assert told.value.problem.code == "not_collected"


def test_a_product_of_an_earlier_revision_is_not_one_of_the_next() -> None:
    known = with_here(begun(), 0, 1, 2)
    made = deciding.make(known, "0", derived_id("file", 0), WHO)
    assert made is not None
    known = collected(after(known, made))
    again = after(known, deciding.reopen(known, WHO, None))
    assert again.products["0"] == begun().products["0"]


def test_the_same_cause_is_the_same_event_and_a_second_time_is_another() -> None:
    known = with_here(begun(), 0, 1)
    first = deciding.collect(known, CollectionReason.COMPLETE, WHO)
    other = deciding.collect(known, CollectionReason.DEADLINE, Who("somebody else", NOW))
    assert first.event_id("chile") == other.event_id("chile")
    once = after(known, first)
    again = after(once, deciding.reopen(once, WHO, None))
    second = deciding.collect(again, CollectionReason.COMPLETE, WHO)
    assert second.event_id("chile") != first.event_id("chile")


def test_an_exposure_is_added_to_the_primary_product() -> None:
    event = deciding.extend(begun(2), MEMBERS[2], 5)
    assert event is not None
    known = after(begun(2), event)
    assert known.links["0"] == {member.key for member in MEMBERS}
    assert known.links["1"] == {MEMBERS[0].key}
    assert known.head.expected == 5


def test_an_association_has_only_so_many_exposures() -> None:
    many = tuple(
        ExposureMember(
            program_id="4K6", obset_id=f"{n // 100:02}", member_num=f"{n % 100:02}", member_type="EXP"
        )
        for n in range(MOST_EXPOSURES)
    )
    known = after(None, planning.plan(planned(NAME, many, NOW), WHO))
    one_more = MEMBERS[0].model_copy(update={"obset_id": "ZZ"})
    with pytest.raises(UserError) as told:
        deciding.extend(known, one_more, None)
    assert told.value.problem.code == "too_many_exposures"
    assert len(deciding.collect(known, CollectionReason.FORCED, WHO).model_dump_json()) < 900_000


def test_a_plan_that_makes_no_sense_is_refused() -> None:
    plan = planned(NAME, MEMBERS, NOW)
    twice = replace(plan, exposures=(*MEMBERS, MEMBERS[0]))
    elsewhere = replace(plan, links=(ProductLink(product_id="0", exposures=("4K601ZZ",)),))
    stis = replace(plan, association_id="O4K601010")
    for wrong, code in (
        (twice, "exposures_repeated"),
        (elsewhere, "links_unknown"),
        (stis, "products_not_allowed"),
    ):
        with pytest.raises(UserError) as told:
            planning.plan(wrong, WHO)
        assert told.value.problem.code == code


@pytest.mark.parametrize(
    ("instrument", "products", "allowed"),
    [
        ("O", "0", True),
        ("O", "01", False),
        ("O", "1", False),
        ("N", "0", True),
        ("N", "012345678", True),
        ("N", "0123456789", False),
        ("N", "1", False),
        ("J", "0", True),
        ("J", "1", True),
        ("J", "2", False),
        ("J", "12", False),
        ("J", "01", True),
        ("J", "0123456789ABCDEFGHI", True),
        ("J", "0J", False),
        ("J", "00", False),
        ("J", "", False),
        ("C", "0Z", True),
        ("C", "1", False),
    ],
)
def test_each_instrument_has_its_products(instrument: str, products: str, allowed: bool) -> None:
    if allowed:
        check_products(f"{instrument}4K601010", products)
    else:
        with pytest.raises(UserError):
            check_products(f"{instrument}4K601010", products)


def test_without_products_there_is_the_primary_one() -> None:
    event = planning.plan(replace(planned(NAME, MEMBERS, NOW), products=(), links=()), WHO)
    assert event.products == (ProductMember(product_id="0", member_type="PROD"),)
