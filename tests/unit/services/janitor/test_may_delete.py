from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.copies import CopyRef
from contracts.states import CopyKind, FileState, PackageState, WorkState
from libs.sites.models import Retention
from services.janitor.facts import (
    ArchiveCopy,
    ArchiveObject,
    BufferCopy,
    Evidence,
    JobFacts,
    Moment,
    OnDisk,
    PackageFacts,
    Seen,
    Sight,
    SourceCopy,
    StagedFolder,
    Standing,
    World,
)
from services.janitor.may_delete import Refusal, Yes, is_proven, may_delete
from services.janitor.planning import Candidate, plan

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SHA = "ab" * 32
AT_ONCE = Retention.model_validate({"keep_for": 0})


def archive(**changes: object) -> ArchiveCopy:
    whole = ArchiveCopy(
        location="archive",
        site="centre",
        key="a/b.tar",
        proven_at=NOW,
        damage=None,
        evidence=Evidence.ASKED,
        standing=Standing.WHOLE,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]  # fields by name


def package(*archives: ArchiveCopy, **changes: object) -> PackageFacts:
    archived = PackageFacts(
        id=UUID(int=1),
        name="p.tar",
        state=PackageState.ARCHIVED,
        size=1000,
        sha256=SHA,
        archived_at=NOW - timedelta(hours=1),
        verified_at=NOW,
        archives=archives,
        open_bundles=(),
        instrument="camera",
    )
    return replace(archived, **changes)  # type: ignore[arg-type]  # fields by name


def world(facts: PackageFacts | None, **changes: object) -> World:
    acting = World(Moment.ACTING, NOW, AT_ONCE, 0.1, package=facts)
    return replace(acting, **changes)  # type: ignore[arg-type]  # fields by name


def source(**changes: object) -> SourceCopy:
    ref = CopyRef(kind=CopyKind.RAW_DATA_FILE, entity_id=UUID(int=2), location="source", path="c/f", size=7)
    same = SourceCopy(ref, FileState.PACKAGED, size=7, mtime_ns=99, sha256=SHA, seen=OnDisk(7, 99))
    return replace(same, **changes)  # type: ignore[arg-type]  # fields by name


def buffered(**changes: object) -> BufferCopy:
    ref = CopyRef(
        kind=CopyKind.RAW_DATA_PACKAGE,
        entity_id=UUID(int=1),
        location="buffer",
        path="packages/p.tar",
        size=1000,
    )
    return replace(BufferCopy(ref, site="telescope", seen=OnDisk(1000, 5)), **changes)  # type: ignore[arg-type]  # fields by name


def code(copy: SourceCopy | BufferCopy | StagedFolder | ArchiveObject, around: World) -> str:
    answer = may_delete(copy, around)
    if isinstance(answer, Yes):
        return "yes"
    problem = answer.problem
    assert problem.reason
    assert problem.remedy
    return problem.code


def test_an_archived_file_that_is_as_it_was_packaged_may_go() -> None:
    assert code(source(), world(package(archive()))) == "yes"


def test_an_archived_package_in_a_buffer_may_go() -> None:
    assert code(buffered(), world(package(archive()))) == "yes"


@pytest.mark.parametrize(
    ("copy", "expected"),
    [
        (source(state=None), "file_unfiled"),
        (source(state=FileState.FILED), "not_packaged"),
        (source(state=FileState.SCANNED), "not_packaged"),
        (source(state=FileState.PLANNED), "not_packaged"),
        (source(state=FileState.MISSING), "file_missing"),
        (source(state=FileState.REFUSED), "file_refused"),
        (source(sha256=None), "file_checksum_unknown"),
        (source(size=None), "file_checksum_unknown"),
        (source(mtime_ns=None), "file_checksum_unknown"),
        (source(seen=OnDisk(8, 99)), "changed_on_disk"),
        (source(seen=OnDisk(7, 100)), "changed_on_disk"),
        (source(seen=Sight.NOT_REGULAR), "not_a_regular_file"),
        (source(seen=Sight.NOT_LOOKED), "not_looked_at"),
        (source(seen=Sight.GONE), "yes"),
    ],
)
def test_what_a_source_file_must_be(copy: SourceCopy, expected: str) -> None:
    assert code(copy, world(package(archive()))) == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (None, "not_packaged"),
        (package(archive(), state=PackageState.WAITING), "not_archived"),
        (package(archive(), state=PackageState.FAILED), "not_archived"),
        (package(archive(), archived_at=None), "not_archived"),
        (package(archive(), size=None), "package_checksum_unknown"),
        (package(archive(), sha256=None), "package_checksum_unknown"),
        (package(), "too_few_archive_copies"),
        (package(archive(proven_at=None)), "too_few_archive_copies"),
        (package(archive(standing=Standing.NOT_ASKED)), "too_few_archive_copies"),
        (package(archive(standing=Standing.UNREACHABLE)), "archive_unreachable"),
        (package(archive(standing=Standing.MISSING)), "archive_copy_missing"),
        (package(archive(standing=Standing.DAMAGED)), "archive_copy_damaged"),
        (package(archive(damage="checksum_mismatch")), "archive_copy_damaged"),
        (package(archive(), archive(standing=Standing.DAMAGED)), "archive_copy_damaged"),
        (package(archive(), archive(standing=Standing.MISSING)), "archive_copy_missing"),
        (package(archive(), archive(standing=Standing.UNREACHABLE)), "yes"),
        (package(archive(standing=Standing.NOT_ASKED, evidence=Evidence.RECORDED)), "yes"),
    ],
)
def test_what_the_archives_must_say(facts: PackageFacts | None, expected: str) -> None:
    assert code(source(), world(facts)) == expected


@pytest.mark.parametrize(
    ("copy", "facts", "expected"),
    [
        (buffered(), None, "not_archived"),
        (buffered(), package(archive(), verified_at=None), "not_verified"),
        (buffered(site="centre"), package(archive(), verified_at=None), "yes"),
        (buffered(), package(archive(), open_bundles=(UUID(int=9),)), "bundle_in_progress"),
        (buffered(seen=OnDisk(999, 5)), package(archive()), "changed_on_disk"),
        (buffered(seen=Sight.GONE), package(archive()), "yes"),
        (buffered(feeds=("archive",)), package(archive()), "yes"),
        (buffered(feeds=("archive", "second")), package(archive()), "archive_pending"),
        (buffered(feeds=("archive",)), package(archive(), archive(location="b", proven_at=None)), "yes"),
    ],
)
def test_what_a_buffer_needs(copy: BufferCopy, facts: PackageFacts | None, expected: str) -> None:
    assert code(copy, world(facts)) == expected


def test_retention_counts_from_the_archiving_unless_the_disk_is_full() -> None:
    kept = Retention.model_validate({"keep_for": "2h"})
    facts = package(archive())
    assert code(source(), world(facts, retention=kept)) == "retention"
    assert code(buffered(), world(facts, retention=kept)) == "retention"
    assert code(source(), world(facts, retention=kept, now=NOW + timedelta(hours=1))) == "yes"
    assert code(source(), world(facts, retention=kept, used_fraction=0.9)) == "yes"
    assert code(source(), world(facts, retention=kept, used_fraction=0.89)) == "retention"


def test_pressure_excuses_from_nothing_but_waiting() -> None:
    full = {"used_fraction": 1.0}
    assert code(source(), world(package(), **full)) == "too_few_archive_copies"
    assert code(source(seen=OnDisk(1, 1)), world(package(archive()), **full)) == "changed_on_disk"


def test_deciding_needs_no_look_at_disk_and_archive() -> None:
    facts = package(archive(standing=Standing.NOT_ASKED))
    assert code(source(seen=Sight.NOT_LOOKED), world(facts, moment=Moment.DECIDING)) == "yes"
    assert code(buffered(seen=Sight.NOT_LOOKED), world(facts, moment=Moment.DECIDING)) == "yes"


def test_an_archive_copy_never_goes() -> None:
    copy = ArchiveObject(
        CopyRef(kind=CopyKind.RAW_DATA_PACKAGE, entity_id=uuid4(), location="archive", path="k", size=1)
    )
    assert code(copy, world(package(archive(), archive()))) == "archive_copy"


JOB = UUID(int=5)
FOLDER = StagedFolder("processing", f"staging/{JOB}", f"staging/{JOB}")


@pytest.mark.parametrize(
    ("folder", "job", "expected"),
    [
        (FOLDER, JobFacts(JOB, WorkState.COMPLETED, NOW), "yes"),
        (FOLDER, JobFacts(JOB, WorkState.IN_PROGRESS, NOW), "yes"),
        (FOLDER, JobFacts(JOB, WorkState.FAILED, None), "yes"),
        (FOLDER, JobFacts(JOB, WorkState.COMPLETED, None), "still_staged"),
        (FOLDER, JobFacts(JOB, WorkState.IN_PROGRESS, None), "still_staged"),
        (FOLDER, JobFacts(JOB, None, None), "still_staged"),
        (FOLDER, JobFacts(JOB, WorkState.COMPLETED, NOW, sharing=(UUID(int=6),)), "folder_in_use"),
        (FOLDER, None, "folder_not_of_job"),
        (replace(FOLDER, path="staging"), JobFacts(JOB, WorkState.COMPLETED, NOW), "folder_not_of_job"),
        (replace(FOLDER, path="results"), JobFacts(JOB, WorkState.COMPLETED, NOW), "folder_not_of_job"),
    ],
)
def test_a_staged_folder_goes_when_its_job_is_over(
    folder: StagedFolder, job: JobFacts | None, expected: str
) -> None:
    assert code(folder, world(None, job=job)) == expected


archives = st.builds(
    archive,
    location=st.sampled_from(["a", "b", "c"]),
    site=st.sampled_from(["telescope", "centre"]),
    proven_at=st.sampled_from([None, NOW]),
    damage=st.sampled_from([None, None, "checksum_mismatch"]),
    evidence=st.sampled_from(Evidence),
    standing=st.sampled_from(Standing),
)
packages = st.builds(
    lambda found, **facts: package(*found, **facts),
    st.lists(archives, max_size=4),
    state=st.sampled_from([None, *PackageState]),
    size=st.sampled_from([None, 1000]),
    sha256=st.sampled_from([None, SHA]),
    archived_at=st.sampled_from([None, NOW - timedelta(hours=1), NOW + timedelta(hours=1)]),
    verified_at=st.sampled_from([None, NOW]),
    open_bundles=st.sampled_from([(), (UUID(int=9),)]),
)
seen: st.SearchStrategy[Seen] = st.sampled_from(
    [*Sight, OnDisk(7, 99), OnDisk(7, 98), OnDisk(1000, 99), OnDisk(0, 0)]
)
sources = st.builds(
    source,
    state=st.sampled_from([None, *FileState]),
    size=st.sampled_from([None, 7]),
    mtime_ns=st.sampled_from([None, 99]),
    sha256=st.sampled_from([None, SHA]),
    seen=seen,
)
buffers = st.builds(buffered, site=st.sampled_from(["telescope", "centre"]), seen=seen)
worlds = st.builds(
    world,
    st.none() | packages,
    moment=st.sampled_from(Moment),
    retention=st.builds(
        lambda hours, copies: Retention.model_validate({"keep_for": f"{hours}h", "archive_copies": copies}),
        st.integers(0, 3),
        st.integers(1, 3),
    ),
    used_fraction=st.floats(0, 1),
)


@given(copy=sources | buffers, around=worlds)
def test_never_yes_with_fewer_proven_archive_copies_than_required(
    copy: SourceCopy | BufferCopy, around: World
) -> None:
    if isinstance(may_delete(copy, around), Yes):
        facts = around.package
        assert facts is not None
        assert facts.state is PackageState.ARCHIVED
        assert facts.size is not None
        assert facts.sha256 is not None
        proven = [one for one in facts.archives if is_proven(one, around.moment)]
        assert len(proven) >= around.retention.archive_copies >= 1
        assert all(one.proven_at is not None and one.damage is None for one in proven)


@given(copy=sources | buffers, around=worlds)
def test_never_yes_with_a_checksum_mismatch_anywhere(copy: SourceCopy | BufferCopy, around: World) -> None:
    if isinstance(may_delete(copy, around), Yes):
        assert around.package is not None
        for one in around.package.archives:
            assert one.damage is None
            assert one.standing not in {Standing.DAMAGED, Standing.MISSING}


@given(copy=sources | buffers, around=worlds)
def test_never_yes_when_acting_on_what_was_not_looked_at(
    copy: SourceCopy | BufferCopy, around: World
) -> None:
    if around.moment is Moment.ACTING and isinstance(may_delete(copy, around), Yes):
        assert copy.seen is not Sight.NOT_LOOKED
        assert around.package is not None
        asked = [one for one in around.package.archives if one.standing is Standing.WHOLE]
        recorded = [one for one in around.package.archives if one.evidence is Evidence.RECORDED]
        assert asked or recorded


@given(copy=sources, around=worlds)
def test_never_yes_for_a_file_that_is_not_what_was_packaged(copy: SourceCopy, around: World) -> None:
    if isinstance(may_delete(copy, around), Yes):
        assert copy.state is FileState.PACKAGED
        assert copy.sha256 is not None
        assert copy.seen in {OnDisk(7, 99), Sight.GONE, Sight.NOT_LOOKED}


@given(copy=sources | buffers, around=worlds)
def test_what_acting_allows_deciding_had_allowed(copy: SourceCopy | BufferCopy, around: World) -> None:
    if isinstance(may_delete(copy, replace(around, moment=Moment.ACTING)), Yes):
        before = replace(around, moment=Moment.DECIDING)
        assert isinstance(may_delete(replace(copy, seen=Sight.NOT_LOOKED), before), Yes)


@given(copies=st.lists(sources | buffers, max_size=6), around=worlds)
def test_a_plan_asks_about_every_candidate(copies: list[SourceCopy | BufferCopy], around: World) -> None:
    candidates = [Candidate(copy, around) for copy in copies]
    made = plan(candidates)
    assert len(made.deletions) + len(made.refusals) == len(candidates)
    for refused in made.refusals:
        assert may_delete(refused.candidate.copy, around) == Refusal(refused.problem)
    for candidate in made.deletions:
        assert may_delete(candidate.copy, around) == Yes()
