"""What the associator says next, given what is there."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from contracts.association_states import (
    AssociationState,
    CollectionReason,
    MemberStatus,
    ProductStatus,
)
from contracts.associations import AssociationEvent, ExposureMember
from contracts.base import derived_id
from libs.associations import planning
from libs.associations.association import Association, after
from libs.associations.deciding import Arrival
from libs.associations.planning import Who
from libs.associations.saying import World
from services.associator.gathering import Claimed, Gathering, Making
from tests.support.histories.associations import exposures, planned

NOW = datetime(2026, 9, 1, tzinfo=UTC)
NAME = "J4K601010"
MEMBERS = exposures(3)


def arrival(member: ExposureMember) -> Arrival:
    return Arrival(member, derived_id("executed_obs_unit", member.key), NOW)


def facts(
    known: Association | None,
    there: Iterable[ExposureMember] = (),
    claimed: Claimed | None = None,
    now: datetime = NOW,
) -> tuple[list[str], Association | None]:
    """What is said until there is nothing more to say, and what the association then is."""
    gathering = Gathering(NAME, now, timedelta(days=7), claimed)
    said: list[AssociationEvent] = []
    arrivals = tuple(arrival(member) for member in there)
    while (event := gathering.next(World(known, arrivals))) is not None:
        said.append(event)
        known = after(known, event)
        assert len(said) < 10
    return [event.fact for event in said], known


def begun() -> Association:
    return after(None, planning.plan(planned(NAME, MEMBERS, NOW), Who("a test", NOW)))


def test_an_association_begins_with_the_first_exposure_that_names_it() -> None:
    said, known = facts(None, claimed=Claimed(MEMBERS[0], 2))
    assert said == ["planned"]
    assert known is not None
    assert (known.head.expected, known.head.deadline) == (2, NOW + timedelta(days=7))
    said, known = facts(known, MEMBERS[:1], Claimed(MEMBERS[0], 2))
    assert said == ["members_arrived"]
    said, known = facts(known, MEMBERS[1:2], Claimed(MEMBERS[1], 2))
    assert said == ["members_added", "members_arrived", "collected"]
    assert known is not None
    assert known.head.collection is not None
    assert known.head.collection.reason is CollectionReason.COMPLETE


def test_without_a_count_it_waits_for_its_deadline() -> None:
    _, known = facts(None, MEMBERS[:1], Claimed(MEMBERS[0], None))
    assert known is not None
    assert known.head.state is AssociationState.OPEN
    said, known = facts(known, now=NOW + timedelta(days=7))
    assert said == ["collected"]
    assert known is not None
    assert known.head.problem is None


def test_everything_at_once_is_said_step_by_step() -> None:
    said, _ = facts(begun(), MEMBERS)
    assert said == ["members_arrived", "collected"]


def test_what_was_said_is_not_said_again() -> None:
    _, known = facts(begun(), MEMBERS[:2], Claimed(MEMBERS[0], 3))
    assert facts(known, MEMBERS[:2], Claimed(MEMBERS[0], 3)) == ([], known)


def test_a_data_set_makes_its_product_once_a_revision_and_only_of_something() -> None:
    making = Making("0", derived_id("raw_data_file", 1), NOW)
    _, known = facts(begun(), MEMBERS)
    assert known is not None
    made = making.next(World(known, ()))
    assert made is not None
    known = after(known, made)
    assert known.products["0"].product_status is ProductStatus.COLLECTED
    assert making.next(World(known, ())) is None
    assert Making("0", derived_id("raw_data_file", 2), NOW).next(World(known, ())) is None
    assert Making("7", derived_id("raw_data_file", 2), NOW).next(World(known, ())) is None
    assert making.next(World(None, ())) is None
    _, failed = facts(begun(), now=NOW + timedelta(days=2))
    assert making.next(World(failed, ())) is None


def test_nothing_begins_of_itself() -> None:
    assert facts(None, MEMBERS) == ([], None)


def test_at_the_deadline_with_no_exposure_it_fails() -> None:
    said, known = facts(begun(), now=NOW + timedelta(days=2))
    assert said == ["failed"]
    assert known is not None
    assert {row.member_status for row in known.exposures.values()} == {MemberStatus.ORPHAN}


def test_what_comes_after_the_collection_is_an_orphan_whoever_expected_it() -> None:
    _, known = facts(begun(), MEMBERS[:2], now=NOW + timedelta(days=2))
    said, known = facts(known, MEMBERS[2:], now=NOW + timedelta(days=3))
    assert said == ["orphan_noted"]
    [extra] = exposures(1, first=9)
    assert facts(known, [extra])[0] == []
    said, known = facts(known, [extra], Claimed(extra, None))
    assert said == ["orphan_noted"]
    assert known is not None
    assert known.exposures[extra.key].member_status is MemberStatus.ORPHAN
