"""What may never happen, in whatever world."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from contracts.states import FileState, HoldKind, PackageState
from libs.sites.retention import ArchiveEvidence, ContentCheck
from services.janitor.evidence import proven_copies
from services.janitor.facts import (
    ArchiveObject,
    BufferCopy,
    Evidence,
    Moment,
    OnDisk,
    PackageFacts,
    Sight,
    SourceCopy,
    StagedFolder,
    Standing,
    World,
)
from services.janitor.holds import Holds
from services.janitor.may_delete import Refusal, Yes, may_delete, to_be_read
from services.janitor.planning import Candidate, plan
from tests.support.worlds import (
    FILE,
    INSTRUMENT,
    PACKAGE,
    SHA,
    UNIT,
    AnyCopy,
    any_copy,
    any_folder,
    any_world,
    archive_object,
    good_copy,
    good_world,
    hold,
    job,
)

Deletable = SourceCopy | BufferCopy
thorough = settings(max_examples=300, deadline=None)


def may(copy: AnyCopy, around: World) -> bool:
    return isinstance(may_delete(copy, around), Yes)


@thorough
@given(around=any_world)
def test_an_archive_copy_goes_in_no_world(around: World) -> None:
    assert not may(archive_object(), around)


@thorough
@given(copy=any_copy, around=any_world)
def test_never_with_fewer_proven_archive_copies_or_sites_than_required(
    copy: Deletable, around: World
) -> None:
    if may(copy, around):
        facts = around.package
        assert facts is not None
        assert facts.state is PackageState.ARCHIVED
        assert facts.size is not None
        assert facts.sha256 is not None
        proven = proven_copies(facts, around)
        assert len(proven) >= around.retention.archive_copies >= 1
        assert len({one.site for one in proven}) >= around.retention.archive_sites >= 1
        assert all(one.proven_at is not None and one.damage is None for one in proven)


@thorough
@given(copy=any_copy, around=any_world)
def test_never_with_a_damaged_or_missing_archive_copy_anywhere(copy: Deletable, around: World) -> None:
    if may(copy, around):
        assert around.package is not None
        for one in around.package.archives:
            assert one.damage is None
            assert one.standing not in {Standing.DAMAGED, Standing.MISSING}


@thorough
@given(copy=any_copy, around=any_world)
def test_never_when_acting_on_what_nobody_looked_at(copy: Deletable, around: World) -> None:
    if around.moment is Moment.ACTING and may(copy, around):
        assert copy.seen is not Sight.NOT_LOOKED
        assert around.package is not None
        answered = [one for one in around.package.archives if one.standing in {Standing.WHOLE, Standing.READ}]
        recorded = [one for one in around.package.archives if one.evidence is Evidence.RECORDED]
        match around.retention.evidence:
            case ArchiveEvidence.RECORDED:
                assert answered or recorded
            case ArchiveEvidence.ASKED:
                assert len(answered) >= around.retention.archive_copies
            case ArchiveEvidence.READ:
                assert (
                    sum(one.standing is Standing.READ for one in answered) >= around.retention.archive_copies
                )


@thorough
@given(copy=any_copy, around=any_world)
def test_never_on_old_proofs_alone(copy: Deletable, around: World) -> None:
    longest = around.retention.proof_max_age
    if longest is not None and around.moment is Moment.ACTING and may(copy, around):
        assert around.package is not None
        young = [
            one
            for one in around.package.archives
            if one.standing is Standing.READ
            or any(when and around.now - when <= longest for when in (one.proven_at, one.verified_at))
        ]
        assert len(young) >= around.retention.archive_copies


@thorough
@given(copy=any_copy, around=any_world)
def test_never_what_is_not_what_was_packaged(copy: Deletable, around: World) -> None:
    if not may(copy, around):
        return
    seen = copy.seen
    assert seen is not Sight.NOT_REGULAR
    if isinstance(copy, SourceCopy):
        assert copy.state is FileState.PACKAGED
        assert copy.sha256 is not None
    if isinstance(seen, OnDisk):
        expected = (7, 99) if isinstance(copy, SourceCopy) else (1000, seen.mtime_ns)
        assert (seen.size, seen.mtime_ns) == expected
        assert seen.sha256 in {None, SHA}
        if around.moment is Moment.ACTING and to_be_read(copy, around, seen):
            assert seen.sha256 == SHA


@thorough
@given(copy=any_copy, around=any_world)
def test_never_from_a_buffer_that_is_still_needed(copy: Deletable, around: World) -> None:
    if isinstance(copy, BufferCopy) and may(copy, around):
        assert around.package is not None
        assert around.package.open_bundles == ()
        assert around.package.unarrived == ()
        assert around.package.bundled or not copy.departs
        assert set(copy.feeds) <= {one.location for one in around.package.archives if one.proven_at}


@thorough
@given(copy=any_copy | any_folder, around=any_world)
def test_never_under_a_hold(copy: Deletable | StagedFolder, around: World) -> None:
    location = copy.location if isinstance(copy, StagedFolder) else copy.ref.location
    held = {HoldKind.LOCATION: location, HoldKind.RAW_DATA_PACKAGE: PACKAGE}
    package = around.package
    if isinstance(copy, StagedFolder) or package is not None:
        around = replace(around, job=around.job and replace(around.job, packages=job().packages))
        if isinstance(copy, StagedFolder) or (package and package.instrument):
            held[HoldKind.INSTRUMENT] = INSTRUMENT
        if isinstance(copy, StagedFolder) or (package and package.unit):
            held[HoldKind.EXECUTED_OBS_UNIT] = UNIT
    for kind, target in held.items():
        assert not may(copy, replace(around, holds=hold(kind, target)))
    assert not may(copy, replace(around, holds=hold(HoldKind.RAW_DATA_FILE, FILE, PACKAGE)))


@thorough
@given(copy=any_copy, around=any_world)
def test_what_acting_allows_deciding_had_allowed(copy: Deletable, around: World) -> None:
    if may(copy, replace(around, moment=Moment.ACTING)):
        assert may(replace(copy, seen=Sight.NOT_LOOKED), replace(around, moment=Moment.DECIDING))


Worse = Callable[[World], World]


def _package(change: Callable[[PackageFacts], PackageFacts]) -> Worse:
    return lambda around: (
        around if around.package is None else replace(around, package=change(around.package))
    )


def _archives(**changes: object) -> Worse:
    """The last of the archive copies is worse."""

    def change(facts: PackageFacts) -> PackageFacts:
        if not facts.archives:
            return facts
        *others, last = facts.archives
        return replace(facts, archives=(*others, replace(last, **changes)))  # type: ignore[arg-type]  # fields by name

    return _package(change)


def _without_a_proven_one(facts: PackageFacts) -> PackageFacts:
    """An archive copy that nothing was held against is not known."""
    bad = {Standing.DAMAGED, Standing.MISSING}
    for number, one in enumerate(facts.archives):
        if one.damage is None and one.standing not in bad:
            return replace(facts, archives=facts.archives[:number] + facts.archives[number + 1 :])
    return facts


def _lost_keys(around: World) -> World:
    """Where the archive's word is wanted, it cannot be had."""
    if around.retention.evidence is ArchiveEvidence.RECORDED:
        return around
    return _archives(evidence=Evidence.RECORDED, standing=Standing.NOT_ASKED)(around)


def _policy(change: Callable[[World], dict[str, object]]) -> Worse:
    return lambda around: replace(around, retention=around.retention.model_copy(update=change(around)))


def _shorter(around: World) -> timedelta:
    longest = around.retention.proof_max_age
    return timedelta(minutes=10) if longest is None else longest / 2


def _stricter(around: World) -> ArchiveEvidence:
    order = list(ArchiveEvidence)
    return order[min(order.index(around.retention.evidence) + 1, len(order) - 1)]


WORSE: dict[str, Worse] = {
    "an archive copy is damaged": _archives(damage="checksum_mismatch"),
    "an archive says it is damaged": _archives(standing=Standing.DAMAGED),
    "an archive lost its copy": _archives(standing=Standing.MISSING),
    "an archive is away": _archives(standing=Standing.UNREACHABLE),
    "an archive copy has no proof": _archives(proven_at=None),
    "an archive copy is not known": _package(_without_a_proven_one),
    "no archive copy is known": _package(lambda facts: replace(facts, archives=())),
    "there are no keys": _lost_keys,
    "it is not archived": _package(lambda facts: replace(facts, state=PackageState.TRANSFERRING)),
    "nobody knows its checksum": _package(lambda facts: replace(facts, sha256=None)),
    "it was archived later": _package(
        lambda facts: replace(facts, archived_at=facts.archived_at and facts.archived_at + timedelta(hours=2))
    ),
    "nobody verified it": _package(lambda facts: replace(facts, verified_at=None)),
    "it travels": _package(lambda facts: replace(facts, open_bundles=(PACKAGE,))),
    "it did not arrive": _package(lambda facts: replace(facts, unarrived=("centre",))),
    "it was in no bundle": _package(lambda facts: replace(facts, bundled=False)),
    "nobody knows when it was planned": _package(lambda facts: replace(facts, planned_at=None)),
    "there is no package": lambda around: replace(around, package=None),
    "there is no job": lambda around: replace(around, job=None),
    "the job is not released": lambda around: replace(
        around, job=around.job and replace(around.job, released_at=None)
    ),
    "the job shares its folder": lambda around: replace(
        around, job=around.job and replace(around.job, sharing=(PACKAGE,))
    ),
    "the disk has room": lambda around: replace(around, pressed=False),
    "the clock is set back": lambda around: replace(around, now=around.now - timedelta(minutes=5)),
    "it is kept for longer": _policy(
        lambda around: {"keep_for": around.retention.keep_for * 2 + timedelta(hours=1)}
    ),
    "more copies are wanted": _policy(lambda around: {"archive_copies": around.retention.archive_copies + 1}),
    "more sites are wanted": _policy(lambda around: {"archive_sites": around.retention.archive_sites + 1}),
    "proofs count for less long": _policy(lambda around: {"proof_max_age": _shorter(around)}),
    "better evidence is wanted": _policy(lambda around: {"evidence": _stricter(around)}),
    "it is to be read": _policy(lambda _: {"verify_before_delete": ContentCheck.CHECKSUM}),
    "somebody holds it": lambda around: replace(
        around, holds=Holds({**around.holds.by_scope, **hold(HoldKind.INSTRUMENT, INSTRUMENT).by_scope})
    ),
}
WORSE_COPIES: dict[str, Callable[[AnyCopy], AnyCopy]] = {
    "it was rewritten": lambda copy: _seen(copy, OnDisk(8, 98, 97)),
    "it was rewritten in disguise": lambda copy: (
        _seen(copy, replace(copy.seen, sha256="ef" * 32))
        if isinstance(copy, SourceCopy | BufferCopy) and isinstance(copy.seen, OnDisk)
        else copy
    ),
    "a link stands there": lambda copy: _seen(copy, Sight.NOT_REGULAR),
    "an archive waits for it": lambda copy: (
        replace(copy, feeds=(*copy.feeds, "another")) if isinstance(copy, BufferCopy) else copy
    ),
    "it has yet to leave": lambda copy: replace(copy, departs=True) if isinstance(copy, BufferCopy) else copy,
    "nobody knows when it landed": lambda copy: (
        replace(copy, landed_at=None) if isinstance(copy, BufferCopy) else copy
    ),
    "nobody filed it": lambda copy: replace(copy, state=None) if isinstance(copy, SourceCopy) else copy,
    "it is somewhere else": lambda copy: (
        replace(copy, path="results") if isinstance(copy, StagedFolder) else copy
    ),
}


def _seen(copy: AnyCopy, seen: OnDisk | Sight) -> AnyCopy:
    return copy if isinstance(copy, StagedFolder | ArchiveObject) else replace(copy, seen=seen)


@thorough
@given(
    copy=any_copy | any_folder,
    around=any_world,
    worse=st.lists(st.sampled_from(sorted(WORSE)), max_size=4),
    changed=st.lists(st.sampled_from(sorted(WORSE_COPIES)), max_size=2),
)
def test_a_worse_world_allows_nothing_more(
    copy: AnyCopy, around: World, worse: list[str], changed: list[str]
) -> None:
    before = may(copy, around)
    for name in worse:
        around = WORSE[name](around)
    for name in changed:
        copy = WORSE_COPIES[name](copy)
    assert before or not may(copy, around)


@thorough
@given(copy=good_copy, around=good_world)
def test_a_copy_that_nobody_needs_may_go(copy: Deletable, around: World) -> None:
    assert may(copy, around)


def _older(around: World) -> World:
    old = around.now - timedelta(days=400)
    aged = _every_archive(proven_at=old, verified_at=old, standing=Standing.WHOLE)(around)
    return _policy(lambda _: {"proof_max_age": timedelta(days=399)})(aged)


def _every_archive(**changes: object) -> Worse:
    return _package(
        lambda facts: replace(facts, archives=tuple(replace(one, **changes) for one in facts.archives))  # type: ignore[arg-type]  # fields by name
    )


def _asked_in_vain(around: World) -> World:
    wanted = _policy(lambda _: {"evidence": ArchiveEvidence.ASKED})(around)
    return _every_archive(evidence=Evidence.RECORDED)(wanted)


def _unread(around: World) -> World:
    wanted = _policy(lambda _: {"evidence": ArchiveEvidence.READ})(replace(around, moment=Moment.ACTING))
    return _every_archive(standing=Standing.WHOLE)(wanted)


def _more_sites(around: World) -> World:
    assert around.package is not None
    sites = {one.site for one in around.package.archives}
    return _policy(lambda _: {"archive_sites": len(sites) + 1})(around)


def _more_copies(around: World) -> World:
    assert around.package is not None
    return _policy(lambda _: {"archive_copies": len(around.package.archives) + 1})(around)  # type: ignore[union-attr]  # asserted


FATAL: dict[str, Worse] = {
    **{
        name: WORSE[name]
        for name in (
            "an archive copy is damaged",
            "an archive says it is damaged",
            "an archive lost its copy",
            "no archive copy is known",
            "it is not archived",
            "nobody knows its checksum",
            "there is no package",
            "somebody holds it",
        )
    },
    "every archive is away": _every_archive(standing=Standing.UNREACHABLE),
    "no archive has a proof": _every_archive(proven_at=None),
    "no archive was asked": lambda around: _every_archive(standing=Standing.NOT_ASKED)(
        replace(around, moment=Moment.ACTING)
    ),
    "every proof is old": _older,
    "nobody has the keys that are wanted": _asked_in_vain,
    "nobody read what is to be read": _unread,
    "one copy more is wanted": _more_copies,
    "one site more is wanted": _more_sites,
    "it is young, and there is room": lambda around: replace(
        _policy(lambda _: {"keep_for": timedelta(days=1)})(around), pressed=False
    ),
}
FATAL_TO_BUFFERS = ("it travels", "it did not arrive")


@pytest.mark.parametrize("name", FATAL)
@settings(max_examples=60, deadline=None)
@given(copy=good_copy, around=good_world)
def test_each_of_these_alone_keeps_a_copy(name: str, copy: Deletable, around: World) -> None:
    assert not may(copy, FATAL[name](around))


@pytest.mark.parametrize("name", ["it was rewritten", "it was rewritten in disguise", "a link stands there"])
@settings(max_examples=60, deadline=None)
@given(copy=good_copy, around=good_world)
def test_what_is_seen_on_disk_keeps_a_copy(name: str, copy: Deletable, around: World) -> None:
    assert not may(WORSE_COPIES[name](copy), around)


@settings(max_examples=60, deadline=None)
@given(copy=good_copy, around=good_world)
def test_what_must_be_looked_at_and_read_keeps_a_copy(copy: Deletable, around: World) -> None:
    acting = replace(around, moment=Moment.ACTING)
    assert not may(replace(copy, seen=Sight.NOT_LOOKED), acting)
    assert isinstance(copy.seen, OnDisk)
    unread = replace(copy, seen=replace(copy.seen, sha256=None))
    assert not may(unread, WORSE["it is to be read"](acting))


@settings(max_examples=60, deadline=None)
@given(copy=good_copy.filter(lambda one: isinstance(one, BufferCopy)), around=good_world)
def test_what_others_need_of_a_buffer_keeps_a_copy(copy: BufferCopy, around: World) -> None:
    for name in FATAL_TO_BUFFERS:
        assert not may(copy, WORSE[name](around))
    assert not may(WORSE_COPIES["an archive waits for it"](copy), around)
    assert not may(replace(copy, departs=True), WORSE["it was in no bundle"](around))
    assert not may(replace(copy, site="elsewhere"), WORSE["nobody verified it"](around))


@thorough
@given(copies=st.lists(any_copy, max_size=6), around=any_world)
def test_a_plan_asks_about_every_candidate(copies: list[Deletable], around: World) -> None:
    candidates = [Candidate(copy, around) for copy in copies]
    made = plan(candidates)
    assert len(made.deletions) + len(made.refusals) == len(candidates)
    for refused in made.refusals:
        assert may_delete(refused.candidate.copy, around) == Refusal(refused.problem)
    for candidate in made.deletions:
        assert may_delete(candidate.copy, around) == Yes()


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("kind", [SourceCopy, BufferCopy, StagedFolder])
def test_the_generated_worlds_are_not_all_refusals(kind: type, moment: Moment) -> None:
    """A property that never meets a Yes says nothing."""

    def is_yes(both: tuple[AnyCopy, World]) -> bool:
        copy, around = both
        return isinstance(copy, kind) and around.moment is moment and may(copy, around)

    quick = settings(max_examples=5000, phases=[Phase.generate], deadline=None)
    find(st.tuples(any_copy | any_folder, any_world), is_yes, settings=quick)
