"""Copies and the worlds around them, for tests of what the janitor decides: a whole one, and any at all."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from hypothesis import strategies as st

from contracts.copies import CopyRef
from contracts.states import CopyKind, FileState, HoldKind, PackageState, WorkState
from libs.sites.retention import ArchiveEvidence, ContentCheck, Retention
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
    StagedPackage,
    Standing,
    World,
)
from services.janitor.holds import Hold, Holds
from services.janitor.may_delete import Yes, may_delete

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PLANNED = NOW - timedelta(hours=3)
PLANNED_NS = int(PLANNED.timestamp()) * 10**9
SHA = "ab" * 32
OTHER_SHA = "cd" * 32
AT_ONCE = Retention.model_validate({"keep_for": 0})

PACKAGE, FILE, JOB = UUID(int=1), UUID(int=2), UUID(int=5)
UNIT = UUID(int=3)
INSTRUMENT = "camera"

AnyCopy = SourceCopy | BufferCopy | StagedFolder | ArchiveObject


def retention(**changes: object) -> Retention:
    """No waiting, unless told otherwise."""
    return Retention.model_validate({"keep_for": 0, **changes})


def archive(**changes: object) -> ArchiveCopy:
    """A copy in an archive that is as it must be."""
    whole = ArchiveCopy(
        location="archive",
        site="centre",
        key="a/b.tar",
        proven_at=NOW - timedelta(hours=1),
        verified_at=NOW - timedelta(hours=1),
        damage=None,
        evidence=Evidence.ASKED,
        standing=Standing.WHOLE,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]  # fields by name


def package(*archives: ArchiveCopy, **changes: object) -> PackageFacts:
    """An archived package."""
    archived = PackageFacts(
        id=PACKAGE,
        name="p.tar",
        state=PackageState.ARCHIVED,
        size=1000,
        sha256=SHA,
        archived_at=NOW - timedelta(hours=1),
        verified_at=NOW,
        archives=archives,
        open_bundles=(),
        instrument=INSTRUMENT,
        unit=UNIT,
        planned_at=PLANNED,
    )
    return replace(archived, **changes)  # type: ignore[arg-type]  # fields by name


def world(facts: PackageFacts | None, **changes: object) -> World:
    """The world at the moment of acting, nothing waited for."""
    acting = World(Moment.ACTING, NOW, AT_ONCE, package=facts)
    return replace(acting, **changes)  # type: ignore[arg-type]  # fields by name


def on_disk(size: int, mtime_ns: int, ctime_ns: int = PLANNED_NS - 1, sha256: str | None = None) -> OnDisk:
    """A file that nobody touched since it was packaged."""
    return OnDisk(size, mtime_ns, ctime_ns, sha256)


def source(**changes: object) -> SourceCopy:
    """A file in SOURCE that is as it was packaged."""
    ref = CopyRef(kind=CopyKind.RAW_DATA_FILE, entity_id=FILE, location="source", path="c/f", size=7)
    same = SourceCopy(ref, FileState.PACKAGED, size=7, mtime_ns=99, sha256=SHA, seen=on_disk(7, 99))
    return replace(same, **changes)  # type: ignore[arg-type]  # fields by name


def buffered(**changes: object) -> BufferCopy:
    """A package in the BUFFER of the telescope."""
    ref = CopyRef(
        kind=CopyKind.RAW_DATA_PACKAGE,
        entity_id=PACKAGE,
        location="buffer",
        path="packages/p.tar",
        size=1000,
    )
    there = BufferCopy(ref, site="telescope", landed_at=PLANNED, seen=on_disk(1000, 5))
    return replace(there, **changes)  # type: ignore[arg-type]  # fields by name


def archive_object() -> ArchiveObject:
    """An archive copy, as what would go."""
    return ArchiveObject(
        CopyRef(
            kind=CopyKind.RAW_DATA_PACKAGE, entity_id=PACKAGE, location="archive", path="a/b.tar", size=1000
        )
    )


FOLDER = StagedFolder("processing", f"staging/{JOB}", f"staging/{JOB}")


def job(**changes: object) -> JobFacts:
    """A released staging job."""
    released = JobFacts(JOB, WorkState.COMPLETED, NOW, packages=(StagedPackage(PACKAGE, INSTRUMENT, UNIT),))
    return replace(released, **changes)  # type: ignore[arg-type]  # fields by name


ARCHIVED = package(archive())


def hold(kind: HoldKind, target: object, package_id: UUID | None = None) -> Holds:
    """One hold that stands."""
    return Holds.of(
        [Hold(UUID(int=77), kind, str(target), "a transient", "an operator", NOW, package=package_id)]
    )


def code(copy: AnyCopy, around: World) -> str:
    """The code of the one reason, or ``yes``."""
    answer = may_delete(copy, around)
    if isinstance(answer, Yes):
        return "yes"
    assert answer.problem.reason
    assert answer.problem.remedy
    return answer.problem.code


LOCATIONS = {"source": "telescope", "buffer": "telescope", "processing": "centre"}
TIMES = (NOW - timedelta(days=30), NOW - timedelta(hours=1), NOW, NOW + timedelta(hours=1))

T = TypeVar("T")


def mostly(good: T, *others: T) -> st.SearchStrategy[T]:
    """As it must be nine times of ten: a world in which everything is wrong tests the first rule alone."""
    return st.sampled_from([good] * 9 * len(others) + [*others] if others else [good])


any_archive = st.builds(
    archive,
    location=st.sampled_from(["a", "b", "c"]),
    site=st.sampled_from(["telescope", "centre", "elsewhere"]),
    proven_at=mostly(NOW - timedelta(hours=1), None, *TIMES),
    verified_at=mostly(NOW - timedelta(hours=1), None, *TIMES),
    damage=mostly(None, "checksum_mismatch"),
    evidence=mostly(*Evidence),
    standing=st.sampled_from([Standing.WHOLE, Standing.READ]) | mostly(Standing.WHOLE, *Standing),
)
any_package = st.builds(
    lambda found, **facts: package(*found, **facts),
    st.lists(any_archive, max_size=3) | st.lists(any_archive, min_size=1, max_size=2),
    state=mostly(PackageState.ARCHIVED, None, *PackageState),
    size=mostly(1000, None),
    sha256=mostly(SHA, None),
    archived_at=mostly(NOW - timedelta(hours=1), None, *TIMES),
    verified_at=mostly(NOW, None),
    open_bundles=mostly((), (UUID(int=9),)),
    unarrived=mostly((), ("centre",)),
    bundled=mostly(True, False),
    instrument=mostly(INSTRUMENT, None),
    unit=mostly(UNIT, None),
    planned_at=mostly(PLANNED, None),
)
odd_seen: list[Seen] = [
    *Sight,
    *(
        on_disk(size, mtime_ns, PLANNED_NS + touched, sha256)
        for size in (7, 1000, 0)
        for mtime_ns in (99, 98)
        for touched in (-1, 1)
        for sha256 in (None, SHA, OTHER_SHA)
    ),
]


def any_seen(size: int) -> st.SearchStrategy[Seen]:
    """What there is to see of a file of a size, mostly itself."""
    good: Seen = on_disk(size, 99)
    read: Seen = on_disk(size, 99, sha256=SHA)
    return (
        st.sampled_from([good, read])
        | st.builds(
            on_disk,
            st.just(size),
            st.just(99),
            st.sampled_from([PLANNED_NS - 1, PLANNED_NS + 1]),
            st.sampled_from([None, SHA, OTHER_SHA]),
        )
        | st.sampled_from(odd_seen)
    )


any_source = st.builds(
    source,
    state=mostly(FileState.PACKAGED, None, *FileState),
    size=mostly(7, None),
    mtime_ns=mostly(99, None),
    sha256=mostly(SHA, None),
    seen=any_seen(7),
)
any_buffered = st.builds(
    buffered,
    site=st.sampled_from(["telescope", "centre"]),
    feeds=mostly((), ("a",), ("a", "b")),
    departs=st.booleans(),
    landed_at=mostly(PLANNED, None),
    seen=any_seen(1000),
)
any_folder = st.builds(lambda path: replace(FOLDER, path=path), mostly(FOLDER.path, "results"))
any_copy: st.SearchStrategy[SourceCopy | BufferCopy] = any_source | any_buffered
any_retention = st.builds(
    retention,
    keep_for=mostly("0s", "1h", "3h"),
    archive_copies=mostly(1, 2, 3),
    archive_sites=mostly(1, 2, 3),
    proof_max_age=mostly(None, "30m", "2h", "60d"),
    evidence=st.sampled_from(ArchiveEvidence),
    verify_before_delete=st.sampled_from(ContentCheck),
)
any_job = st.builds(
    job,
    state=st.sampled_from([None, *WorkState]),
    released_at=mostly(NOW, None),
    sharing=mostly((), (UUID(int=6),)),
)
any_hold = st.sampled_from(
    [
        Hold(UUID(int=77), kind, str(target), "a transient", package=of)
        for kind, target, of in (
            *((HoldKind.LOCATION, location, None) for location in LOCATIONS),
            (HoldKind.INSTRUMENT, INSTRUMENT, None),
            (HoldKind.EXECUTED_OBS_UNIT, UNIT, None),
            (HoldKind.RAW_DATA_PACKAGE, PACKAGE, None),
            (HoldKind.RAW_DATA_FILE, FILE, PACKAGE),
            (HoldKind.RAW_DATA_FILE, UUID(int=44), PACKAGE),
            (HoldKind.INSTRUMENT, "another", None),
            (HoldKind.RAW_DATA_PACKAGE, UUID(int=45), None),
        )
    ]
)
any_holds = st.builds(Holds.of, st.lists(any_hold, max_size=2))
any_world = st.builds(
    world,
    mostly(ARCHIVED, None) | any_package | any_package,
    moment=st.sampled_from(Moment),
    retention=any_retention,
    pressed=st.booleans(),
    job=any_job | mostly(job(), None),
    holds=st.just(Holds()) | any_holds,
)

good_archives = st.lists(
    st.builds(
        archive,
        location=st.sampled_from(["a", "b", "c"]),
        site=st.sampled_from(["telescope", "centre"]),
        standing=st.sampled_from([Standing.WHOLE, Standing.READ]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda one: one.location,
)
good_copy: st.SearchStrategy[SourceCopy | BufferCopy] = st.builds(
    source, seen=st.sampled_from([on_disk(7, 99), on_disk(7, 99, sha256=SHA)])
) | st.builds(
    buffered,
    site=st.sampled_from(["telescope", "centre"]),
    departs=st.booleans(),
    seen=st.sampled_from([on_disk(1000, 5), on_disk(1000, 6, sha256=SHA)]),
)
good_world = st.builds(
    world,
    st.builds(lambda found: package(*found), good_archives),
    moment=st.sampled_from(Moment),
    retention=st.builds(
        retention,
        keep_for=st.sampled_from(["0s", "1h"]),
        proof_max_age=st.sampled_from([None, "2h"]),
        evidence=st.sampled_from([ArchiveEvidence.RECORDED, ArchiveEvidence.ASKED]),
        verify_before_delete=st.sampled_from([ContentCheck.NONE, ContentCheck.TOUCHED]),
    ),
    pressed=st.booleans(),
)
"""With `good_copy`, always a Yes."""
