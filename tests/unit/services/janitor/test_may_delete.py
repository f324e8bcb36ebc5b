"""Each reason for which a copy stays, by one world in which it is the first one."""

import ast
import inspect
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from contracts.states import FileState, HoldKind, PackageState, WorkState
from services.janitor import refusing
from services.janitor.facts import (
    Evidence,
    JobFacts,
    Moment,
    OnDisk,
    PackageFacts,
    Sight,
    StagedPackage,
    Standing,
)
from services.janitor.holds import Holds
from services.janitor.refusing import Code
from tests.support.worlds import (
    FILE,
    FOLDER,
    INSTRUMENT,
    NOW,
    OTHER_SHA,
    PACKAGE,
    PLANNED_NS,
    SHA,
    UNIT,
    AnyCopy,
    archive,
    archive_object,
    buffered,
    code,
    hold,
    job,
    on_disk,
    package,
    retention,
    source,
    world,
)

YES = "yes"
ARCHIVED = package(archive())
LONG_AGO = NOW - timedelta(days=40)
OLD = archive(proven_at=LONG_AGO, verified_at=LONG_AGO)
UNASKED = archive(standing=Standing.NOT_ASKED)
RECORDED = archive(standing=Standing.NOT_ASKED, evidence=Evidence.RECORDED)
READ = archive(standing=Standing.READ)
TOUCHED_NS = PLANNED_NS + 1

FILES: list[tuple[AnyCopy, str]] = [
    (source(), YES),
    (source(state=None), Code.FILE_UNFILED),
    (source(state=FileState.FILED), Code.NOT_PACKAGED),
    (source(state=FileState.SCANNED), Code.NOT_PACKAGED),
    (source(state=FileState.PLANNED), Code.NOT_PACKAGED),
    (source(state=FileState.MISSING), Code.FILE_MISSING),
    (source(state=FileState.REFUSED), Code.FILE_REFUSED),
    (source(sha256=None), Code.FILE_CHECKSUM_UNKNOWN),
    (source(size=None), Code.FILE_CHECKSUM_UNKNOWN),
    (source(mtime_ns=None), Code.FILE_CHECKSUM_UNKNOWN),
    (source(seen=on_disk(8, 99)), Code.CHANGED_ON_DISK),
    (source(seen=on_disk(7, 100)), Code.CHANGED_ON_DISK),
    (source(seen=Sight.NOT_REGULAR), Code.NOT_A_REGULAR_FILE),
    (source(seen=Sight.NOT_LOOKED), Code.NOT_LOOKED_AT),
    (source(seen=Sight.GONE), YES),
]
ARCHIVES: list[tuple[PackageFacts | None, str]] = [
    (ARCHIVED, YES),
    (None, Code.NOT_PACKAGED),
    (package(archive(), state=PackageState.WAITING), Code.NOT_ARCHIVED),
    (package(archive(), state=PackageState.FAILED), Code.NOT_ARCHIVED),
    (package(archive(), archived_at=None), Code.NOT_ARCHIVED),
    (package(archive(), size=None), Code.PACKAGE_CHECKSUM_UNKNOWN),
    (package(archive(), sha256=None), Code.PACKAGE_CHECKSUM_UNKNOWN),
    (package(), Code.TOO_FEW_ARCHIVE_COPIES),
    (package(archive(proven_at=None)), Code.TOO_FEW_ARCHIVE_COPIES),
    (package(UNASKED), Code.TOO_FEW_ARCHIVE_COPIES),
    (package(archive(standing=Standing.UNREACHABLE)), Code.ARCHIVE_UNREACHABLE),
    (package(archive(standing=Standing.MISSING)), Code.ARCHIVE_COPY_MISSING),
    (package(archive(standing=Standing.DAMAGED)), Code.ARCHIVE_COPY_DAMAGED),
    (package(archive(damage="checksum_mismatch")), Code.ARCHIVE_COPY_DAMAGED),
    (package(archive(), archive(standing=Standing.DAMAGED)), Code.ARCHIVE_COPY_DAMAGED),
    (package(archive(), archive(standing=Standing.MISSING)), Code.ARCHIVE_COPY_MISSING),
    (package(archive(), archive(standing=Standing.UNREACHABLE)), YES),
    (package(RECORDED), YES),
    (package(READ), YES),
]
POLICIES: list[tuple[PackageFacts, dict[str, object], str]] = [
    (package(archive(), archive(location="b")), {"archive_copies": 2}, YES),
    (package(archive()), {"archive_copies": 2}, Code.TOO_FEW_ARCHIVE_COPIES),
    (package(archive(), archive(location="b")), {"archive_sites": 2}, Code.TOO_FEW_ARCHIVE_SITES),
    (package(archive(), archive(site="elsewhere")), {"archive_sites": 2}, YES),
    (
        package(archive(), archive(site="elsewhere", proven_at=None)),
        {"archive_sites": 2},
        Code.TOO_FEW_ARCHIVE_SITES,
    ),
    (
        package(archive(), archive(site="elsewhere", standing=Standing.UNREACHABLE)),
        {"archive_sites": 2},
        Code.ARCHIVE_UNREACHABLE,
    ),
    (package(OLD), {}, YES),
    (package(OLD), {"proof_max_age": "41d"}, YES),
    (package(OLD), {"proof_max_age": "40d"}, YES),
    (package(OLD), {"proof_max_age": "39d"}, Code.ARCHIVE_PROOF_OLD),
    (package(replace(OLD, verified_at=NOW)), {"proof_max_age": "39d"}, YES),
    (package(replace(OLD, verified_at=None)), {"proof_max_age": "39d"}, Code.ARCHIVE_PROOF_OLD),
    (package(replace(OLD, verified_at=NOW + timedelta(hours=1))), {"proof_max_age": "39d"}, YES),
    (
        package(replace(OLD, verified_at=NOW + timedelta(days=9))),
        {"proof_max_age": "39d"},
        Code.ARCHIVE_PROOF_OLD,
    ),
    (package(replace(OLD, standing=Standing.READ)), {"proof_max_age": "0s", "evidence": "read"}, YES),
    (package(OLD, archive(site="elsewhere")), {"proof_max_age": "39d"}, YES),
    (
        package(OLD, archive(site="elsewhere")),
        {"proof_max_age": "39d", "archive_sites": 2},
        Code.ARCHIVE_PROOF_OLD,
    ),
    (package(archive()), {"evidence": "asked"}, YES),
    (package(READ), {"evidence": "asked"}, YES),
    (package(RECORDED), {"evidence": "asked"}, Code.ARCHIVE_NOT_ASKED),
    (package(UNASKED), {"evidence": "asked"}, Code.ARCHIVE_NOT_ASKED),
    (package(READ), {"evidence": "read"}, YES),
    (package(archive()), {"evidence": "read"}, Code.ARCHIVE_NOT_ASKED),
    (package(RECORDED), {"evidence": "read"}, Code.ARCHIVE_NOT_ASKED),
    (package(archive(standing=Standing.DAMAGED)), {"evidence": "read"}, Code.ARCHIVE_COPY_DAMAGED),
]
BUFFERS: list[tuple[AnyCopy, PackageFacts | None, str]] = [
    (buffered(), ARCHIVED, YES),
    (buffered(), None, Code.NOT_ARCHIVED),
    (buffered(), package(archive(), verified_at=None), Code.NOT_VERIFIED),
    (buffered(site="centre"), package(archive(), verified_at=None), YES),
    # Archived at the relay's own site, damaged on the way to the next: it is sent again from here.
    (buffered(site="centre"), package(archive(), unarrived=("elsewhere",)), Code.NOT_VERIFIED),
    (buffered(), package(archive(), unarrived=("centre",)), Code.NOT_VERIFIED),
    (buffered(), package(archive(), open_bundles=(UUID(int=9),)), Code.BUNDLE_IN_PROGRESS),
    (buffered(departs=True), package(archive(), bundled=False), Code.BUNDLE_PENDING),
    (buffered(departs=False), package(archive(), bundled=False), YES),
    (buffered(departs=True), ARCHIVED, YES),
    (buffered(seen=on_disk(999, 5)), ARCHIVED, Code.CHANGED_ON_DISK),
    (buffered(seen=Sight.GONE), ARCHIVED, YES),
    (buffered(seen=Sight.NOT_LOOKED), ARCHIVED, Code.NOT_LOOKED_AT),
    (buffered(feeds=("archive",)), ARCHIVED, YES),
    (buffered(feeds=("archive", "second")), ARCHIVED, Code.ARCHIVE_PENDING),
    (buffered(feeds=("archive",)), package(archive(), archive(location="b", proven_at=None)), YES),
]
CONTENTS: list[tuple[str, OnDisk, str]] = [
    ("none", on_disk(7, 99, TOUCHED_NS), YES),
    ("none", on_disk(7, 99, sha256=OTHER_SHA), Code.CONTENT_CHANGED),
    ("touched", on_disk(7, 99), YES),
    ("touched", on_disk(7, 99, TOUCHED_NS), Code.CONTENT_NOT_READ),
    ("touched", on_disk(7, 99, TOUCHED_NS, SHA), YES),
    ("touched", on_disk(7, 99, TOUCHED_NS, OTHER_SHA), Code.CONTENT_CHANGED),
    ("checksum", on_disk(7, 99), Code.CONTENT_NOT_READ),
    ("checksum", on_disk(7, 99, sha256=SHA), YES),
    ("checksum", on_disk(7, 99, sha256=OTHER_SHA), Code.CONTENT_CHANGED),
    ("checksum", on_disk(8, 99, sha256=SHA), Code.CHANGED_ON_DISK),
]
HOLDS: list[tuple[Holds, AnyCopy, str]] = [
    (hold(HoldKind.LOCATION, "source"), source(), Code.HELD),
    (hold(HoldKind.LOCATION, "source"), buffered(), YES),
    (hold(HoldKind.INSTRUMENT, INSTRUMENT), source(), Code.HELD),
    (hold(HoldKind.INSTRUMENT, INSTRUMENT), buffered(), Code.HELD),
    (hold(HoldKind.INSTRUMENT, "another"), source(), YES),
    (hold(HoldKind.EXECUTED_OBS_UNIT, UNIT), source(), Code.HELD),
    (hold(HoldKind.EXECUTED_OBS_UNIT, str(UNIT).upper()), buffered(), Code.HELD),
    (hold(HoldKind.RAW_DATA_PACKAGE, PACKAGE), source(), Code.HELD),
    (hold(HoldKind.RAW_DATA_PACKAGE, PACKAGE), buffered(), Code.HELD),
    (hold(HoldKind.RAW_DATA_FILE, FILE, PACKAGE), source(), Code.HELD),
    (hold(HoldKind.RAW_DATA_FILE, FILE, PACKAGE), buffered(), Code.HELD),
    (hold(HoldKind.RAW_DATA_FILE, UUID(int=44), PACKAGE), source(), YES),
    (hold(HoldKind.RAW_DATA_FILE, UUID(int=44)), buffered(), YES),
    (hold(HoldKind.LOCATION, "processing"), FOLDER, Code.HELD),
    (hold(HoldKind.INSTRUMENT, INSTRUMENT), FOLDER, Code.HELD),
    (hold(HoldKind.EXECUTED_OBS_UNIT, UNIT), FOLDER, Code.HELD),
    (hold(HoldKind.RAW_DATA_PACKAGE, PACKAGE), FOLDER, Code.HELD),
    (hold(HoldKind.RAW_DATA_FILE, FILE, PACKAGE), FOLDER, Code.HELD),
    (hold(HoldKind.LOCATION, "source"), FOLDER, YES),
]
FOLDERS: list[tuple[AnyCopy, JobFacts | None, str]] = [
    (FOLDER, job(), YES),
    (FOLDER, job(state=WorkState.IN_PROGRESS), YES),
    (FOLDER, job(state=WorkState.FAILED, released_at=None), YES),
    (FOLDER, job(released_at=None), Code.STILL_STAGED),
    (FOLDER, job(state=WorkState.IN_PROGRESS, released_at=None), Code.STILL_STAGED),
    (FOLDER, job(state=None, released_at=None), Code.STILL_STAGED),
    (FOLDER, job(sharing=(UUID(int=6),)), Code.FOLDER_IN_USE),
    (FOLDER, None, Code.FOLDER_NOT_OF_JOB),
    (replace(FOLDER, path="staging"), job(), Code.FOLDER_NOT_OF_JOB),
    (replace(FOLDER, path="results"), job(), Code.FOLDER_NOT_OF_JOB),
]


@pytest.mark.parametrize(("copy", "expected"), FILES)
def test_what_a_source_file_must_be(copy: AnyCopy, expected: str) -> None:
    assert code(copy, world(ARCHIVED)) == expected


@pytest.mark.parametrize(("facts", "expected"), ARCHIVES)
def test_what_the_archives_must_say(facts: PackageFacts | None, expected: str) -> None:
    assert code(source(), world(facts)) == expected


@pytest.mark.parametrize(("facts", "settings", "expected"), POLICIES)
def test_what_counts_as_enough(facts: PackageFacts, settings: dict[str, object], expected: str) -> None:
    policy = retention(**settings)
    assert code(source(), world(facts, retention=policy)) == expected
    assert code(buffered(), world(facts, retention=policy)) == expected


@pytest.mark.parametrize(("copy", "facts", "expected"), BUFFERS)
def test_what_a_buffer_needs(copy: AnyCopy, facts: PackageFacts | None, expected: str) -> None:
    assert code(copy, world(facts)) == expected


@pytest.mark.parametrize(("policy", "seen", "expected"), CONTENTS)
def test_what_is_read_before_it_goes(policy: str, seen: OnDisk, expected: str) -> None:
    around = world(ARCHIVED, retention=retention(verify_before_delete=policy))
    assert code(source(seen=seen), around) == expected
    as_package = replace(seen, size=seen.size - 7 + 1000)
    assert code(buffered(seen=as_package), around) == expected


def test_without_knowing_since_when_it_is_right_every_file_was_touched() -> None:
    policy = retention(verify_before_delete="touched")
    assert code(source(), world(package(archive(), planned_at=None), retention=policy)) == "content_not_read"
    assert code(buffered(landed_at=None), world(ARCHIVED, retention=policy)) == "content_not_read"


@pytest.mark.parametrize(("holds", "copy", "expected"), HOLDS)
def test_what_a_hold_covers(holds: Holds, copy: AnyCopy, expected: str) -> None:
    assert code(copy, world(ARCHIVED, holds=holds, job=job())) == expected


def test_a_hold_on_any_staged_package_keeps_the_whole_folder() -> None:
    two = job(packages=(StagedPackage(UUID(int=70)), StagedPackage(PACKAGE, INSTRUMENT, UNIT)))
    held = world(None, job=two, holds=hold(HoldKind.RAW_DATA_PACKAGE, PACKAGE))
    assert code(FOLDER, held) == Code.HELD


@pytest.mark.parametrize(("folder", "facts", "expected"), FOLDERS)
def test_a_staged_folder_goes_when_its_job_is_over(
    folder: AnyCopy, facts: JobFacts | None, expected: str
) -> None:
    assert code(folder, world(None, job=facts)) == expected


def test_retention_counts_from_the_archiving_unless_the_disk_is_too_full() -> None:
    kept = retention(keep_for="2h")
    assert code(source(), world(ARCHIVED, retention=kept)) == Code.RETENTION
    assert code(buffered(), world(ARCHIVED, retention=kept)) == Code.RETENTION
    assert code(source(), world(ARCHIVED, retention=kept, now=NOW + timedelta(hours=1))) == YES
    assert code(source(), world(ARCHIVED, retention=kept, pressed=True)) == YES
    assert code(buffered(), world(ARCHIVED, retention=kept, pressed=True)) == YES


def test_pressure_excuses_from_nothing_but_waiting() -> None:
    assert code(source(), world(package(), pressed=True)) == Code.TOO_FEW_ARCHIVE_COPIES
    assert code(source(seen=on_disk(1, 1)), world(ARCHIVED, pressed=True)) == Code.CHANGED_ON_DISK
    held = world(ARCHIVED, pressed=True, holds=hold(HoldKind.LOCATION, "source"))
    assert code(source(), held) == Code.HELD


def test_age_is_asked_for_last() -> None:
    kept = world(ARCHIVED, retention=retention(keep_for="2h"), holds=hold(HoldKind.LOCATION, "source"))
    assert code(source(), kept) == Code.HELD
    assert code(source(), replace(kept, holds=Holds())) == Code.RETENTION


def test_deciding_needs_no_look_at_disk_and_archive() -> None:
    deciding = world(package(UNASKED), moment=Moment.DECIDING)
    for policy in ("recorded", "asked", "read"):
        around = replace(deciding, retention=retention(evidence=policy, verify_before_delete="checksum"))
        assert code(source(seen=Sight.NOT_LOOKED), around) == YES
        assert code(buffered(seen=Sight.NOT_LOOKED), around) == YES


def test_an_old_proof_is_no_hindrance_to_reading_the_archive() -> None:
    unread = package(replace(OLD, standing=Standing.NOT_ASKED))
    policy = retention(proof_max_age="1h", evidence="read")
    assert code(source(), world(unread, retention=policy, moment=Moment.DECIDING)) == YES
    assert code(source(), world(unread, retention=policy)) == Code.ARCHIVE_PROOF_OLD


def test_an_archive_copy_never_goes() -> None:
    assert code(archive_object(), world(package(archive(), archive()))) == Code.ARCHIVE_COPY


def test_every_reason_has_its_world() -> None:
    reached = {
        case[-1] for table in (FILES, ARCHIVES, POLICIES, BUFFERS, CONTENTS, HOLDS, FOLDERS) for case in table
    }
    elsewhere = {Code.ARCHIVE_COPY, Code.RETENTION}  # above
    by_storage = {Code.DELETE_REFUSED, Code.REPLACED}  # in test_deleting
    assert reached | elsewhere | by_storage == {YES, *Code}


def test_every_reason_is_given_in_one_place() -> None:
    named = [
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(refusing)))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Code"
    ]
    assert sorted(named) == sorted(code.name for code in Code)
    assert len({code.value for code in Code}) == len(Code)
