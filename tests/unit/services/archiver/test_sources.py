"""Which copy a damaged archive copy is written anew from."""

from uuid import UUID

from contracts.copies import CopyRef
from contracts.problems import Problem
from contracts.states import CopyKind, CopyState, LocationType
from libs.copies.records import CopyOnRecord
from libs.errors import Permanent, Retriable
from services.archiver.sources import ArchiveSource, BufferSource, Tried, in_order, no_good_copy
from tests.support.deployments import archive, deployment, disk

BUFFER = LocationType.BUFFER
WORLD = deployment(
    {
        "here": {
            "buffer": disk(BUFFER),
            "spare": disk(BUFFER, priority=2),
            "damaged": archive(),
            "second": archive(priority=2),
            "third": archive(priority=1),
            "retired": archive(priority=0, active=False),
            "source": disk(LocationType.SOURCE),
        },
        "there": {"their-buffer": disk(BUFFER), "their-archive": archive()},
    }
)
FOUND = Problem(code="package_checksum", reason="another sha256", remedy="Nothing.")


def copy(location: str, state: CopyState | None = CopyState.PRESENT, *, bad: bool = False) -> CopyOnRecord:
    ref = CopyRef(
        kind=CopyKind.RAW_DATA_PACKAGE,
        entity_id=UUID(int=1),
        location=location,
        path=f"{location}.tar",
        size=1,
    )
    return CopyOnRecord(ref, state, FOUND if bad else None, given_up=False)


def order(*copies: CopyOnRecord) -> list[str]:
    return [source.location for source in in_order(copies, WORLD, "here", target="damaged")]


def test_the_nearest_whole_copy_comes_first() -> None:
    everywhere = [
        copy(name) for name in ("their-archive", "retired", "second", "third", "damaged", "spare", "buffer")
    ]
    assert order(*everywhere) == ["buffer", "spare", "third", "second", "retired", "their-archive"]


def test_what_is_on_record_as_damaged_comes_last() -> None:
    assert order(copy("buffer", bad=True), copy("third", bad=True), copy("their-archive")) == [
        "their-archive",
        "buffer",
        "third",
    ]


def test_other_sites_buffers_and_forgotten_locations_are_no_sources() -> None:
    assert order(copy("their-buffer"), copy("source"), copy("of-another-deployment")) == []


def test_an_archive_that_lost_its_copy_is_no_source_but_a_cleared_buffer_is_looked_into() -> None:
    gone = [copy("third", CopyState.DELETED), copy("buffer", CopyState.DELETED), copy("spare", None)]
    sources = in_order(gone, WORLD, "here", target="damaged")
    assert sources == (
        BufferSource("buffer", "buffer.tar", expected=False),
        BufferSource("spare", "spare.tar", expected=False),
    )


def test_a_copy_that_is_about_to_go_is_still_expected() -> None:
    [source] = in_order([copy("buffer", CopyState.DELETION_SCHEDULED)], WORLD, "here", target="damaged")
    assert source == BufferSource("buffer", "buffer.tar", expected=True)


def test_the_alarm_tells_what_was_tried() -> None:
    tried = [
        Tried(ArchiveSource("third", "k"), Permanent("object_missing", "k is gone", "Look.")),
        Tried(ArchiveSource("second", "k"), Retriable("s3_busy", "503", "Wait.")),
    ]
    alarm = no_good_copy("p.tar", "damaged", FOUND, tried, "p.tar in buffer")
    assert alarm.code == "no_good_copy"
    for word in ("another sha256", "third: k is gone", "second: 503"):
        assert word in alarm.reason
    assert "p.tar in buffer" in alarm.remedy
    assert "no other one" in no_good_copy("p.tar", "damaged", FOUND, [], "x").reason
