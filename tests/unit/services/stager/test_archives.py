import pytest

from contracts.states import LocationType, StorageType
from libs.errors import ChasquiError, Permanent, Retriable, UserError
from libs.packaging import BagDamaged, BagFault, BagProblem, DestinationConflict, SealedFile
from libs.sites.models import Deployment, S3Location, SiteSettings
from services.stager.archives import (
    ArchiveCopy,
    Fault,
    another_may_help,
    in_order,
    on_second_thoughts,
    verdict,
)

DAMAGED = BagDamaged([BagProblem(BagFault.PACKAGE_CHECKSUM, "", "another one")])
MISSING = Permanent("object_missing", "it is not there", "look elsewhere")
AWAY = Retriable("s3_unreachable", "no answer", "wait")


def archive(priority: int, *, active: bool = True) -> S3Location:
    return S3Location(
        type=LocationType.LONG_TERM_ARCHIVE,
        storage=StorageType.S3,
        endpoint="http://127.0.0.1:1",
        bucket="bucket",
        priority=priority,
        active=active,
    )


DEPLOYMENT = Deployment(
    version=1,
    observatory="o",
    telescope="t",
    sites={
        "north": SiteSettings(locations={"first": archive(1), "off": archive(0, active=False)}),
        "south": SiteSettings(locations={"second": archive(2), "third": archive(3)}),
    },
)


def copy(location: str, damage: str | None = None) -> ArchiveCopy:
    return ArchiveCopy(location, f"{location}/p.tar", damage)


def test_whole_copies_of_active_archives_come_first_by_priority() -> None:
    copies = [copy("off"), copy("third"), copy("first", "checksum_mismatch"), copy("second")]
    assert [one.location for one in in_order(copies, DEPLOYMENT)] == ["second", "third", "off", "first"]


@pytest.mark.parametrize(
    ("error", "helps"),
    [
        (DAMAGED, True),
        (MISSING, True),
        (AWAY, True),
        (Retriable("source_unavailable", "broke off", "again"), True),
        (Retriable("disk_full", "full", "free"), False),
        (Retriable("storage_unavailable", "away", "wait"), False),
        (Retriable("cancelled", "stopped", "again"), False),
        (DestinationConflict([SealedFile("a", 1, 0, "0" * 64, 0)]), False),
        (UserError("path_not_in_package", "no", "no"), False),
    ],
)
def test_another_copy_is_tried_only_where_it_can_help(error: ChasquiError, helps: bool) -> None:
    assert another_may_help(error) is helps


def test_all_copies_damaged_is_final_and_names_them() -> None:
    error = verdict("p.tar", [Fault(copy("first"), DAMAGED), Fault(copy("second"), MISSING)])
    assert isinstance(error, Permanent)
    assert error.problem.code == "archive_copy_damaged"
    assert "first/p.tar" in error.problem.reason
    assert "second/p.tar" in error.problem.reason


def test_all_copies_missing_is_final() -> None:
    error = verdict("p.tar", [Fault(copy("first"), MISSING)])
    assert isinstance(error, Permanent)
    assert error.problem.code == "archive_copy_missing"


def test_an_archive_that_is_away_may_still_have_it() -> None:
    error = verdict("p.tar", [Fault(copy("first"), DAMAGED), Fault(copy("second"), AWAY)])
    assert error is AWAY


def test_no_copy_on_record_is_waited_for() -> None:
    assert isinstance(verdict("p.tar", []), Retriable)


def test_the_same_damage_twice_is_the_copys_own() -> None:
    again = Fault(copy("first"), BagDamaged([BagProblem(BagFault.PACKAGE_CHECKSUM, "", "another one")]))
    assert on_second_thoughts(Fault(copy("first"), DAMAGED), again) is again


def test_other_damage_each_time_says_nothing_of_the_copy() -> None:
    again = Fault(copy("first"), BagDamaged([BagProblem(BagFault.PACKAGE_CHECKSUM, "", "yet another one")]))
    told = on_second_thoughts(Fault(copy("first"), DAMAGED), again)
    assert told.copy == copy("first")
    assert isinstance(told.error, Retriable)
    assert told.error.problem.code == "archive_misread"
    assert isinstance(verdict("p.tar", [told, Fault(copy("second"), MISSING)]), Retriable)


def test_a_copy_that_is_gone_or_away_at_the_second_reading_is_that() -> None:
    for error in (MISSING, AWAY):
        again = Fault(copy("first"), error)
        assert on_second_thoughts(Fault(copy("first"), DAMAGED), again) is again
