"""What operators, scrubs and repairs say."""

from collections.abc import Iterator
from datetime import timedelta

from contracts.base import Event, derived_id
from contracts.copies import (
    CopyDeleted,
    CopyRef,
    CopyRepaired,
    CopyScrubbed,
    CopyUnrepairable,
    DeletionRefused,
    DeletionScheduled,
    RefusedCopy,
)
from contracts.holds import HoldPlaced, HoldReleased, HoldScope, hold_id
from contracts.letters import LetterBuried, LetterDropped, LetterRetried, LetterSettled, letter_id
from contracts.packages import PackageFailed
from contracts.replays import ReplayRequested
from contracts.states import CopyKind, FailureKind, HoldKind
from contracts.subjects import events_stream
from tests.support.histories import road
from tests.support.histories.mishaps import problem
from tests.support.histories.road import Observation, Step


def archive_copy(observation: Observation) -> CopyRef:
    """The copy of its package in the archive."""
    record = observation.record
    return CopyRef(
        kind=CopyKind.RAW_DATA_PACKAGE,
        entity_id=record.package_id,
        location=road.ARCHIVE,
        path=record.name,
        size=record.size,
    )


def scrubbing(observation: Observation, *, mended: bool) -> Iterator[Step]:
    """A scrub finds damage; it is mended from the other site's copy, or cannot be."""
    copy = archive_copy(observation)
    when = observation.end + timedelta(days=30)
    scrubbed = CopyScrubbed(copy_ref=copy, scrubbed_at=when, problem=problem("checksum_mismatch"))
    yield road.DESTINATION, scrubbed
    cause = scrubbed.event_id(road.DESTINATION)
    after: Event = CopyUnrepairable(copy_ref=copy, cause=cause, problem=problem("no_good_copy"))
    if mended:
        after = CopyRepaired(
            copy_ref=copy,
            cause=cause,
            repaired_from=road.BUFFER,
            repaired_at=when + timedelta(minutes=1),
            sha256=observation.record.sha256,
        )
    yield road.DESTINATION, after
    if mended:
        yield road.DESTINATION, CopyScrubbed(copy_ref=copy, scrubbed_at=when + timedelta(days=1))


def burial(observation: Observation, *, dropped: bool) -> Iterator[Step]:
    """A bundle's package is given up, sent again in vain, and then settled or dropped."""
    stream = events_stream(road.DESTINATION)
    letter = letter_id(road.ORIGIN, "bundler", "repair", stream, observation.number + 1)
    cause = derived_id("cause", observation.id)
    failed = PackageFailed(
        package_id=observation.package_id,
        cause=cause,
        service="bundler",
        problem=problem("package_undeliverable"),
    )
    yield road.ORIGIN, failed
    yield (
        road.ORIGIN,
        ReplayRequested(
            run=f"run {observation.number}",
            service="bundler",
            begin="1h",
            about_entity=str(observation.package_id),
            requested_by="an operator",
        ),
    )
    for number in (1, 2):
        yield (
            road.ORIGIN,
            LetterBuried(
                letter_id=letter,
                burial=number,
                service="bundler",
                handler="repair",
                stream=stream,
                sequence=observation.number + 1,
                type="chasqui.package.corrupted.v1",
                entity_id=str(observation.package_id),
                failure=FailureKind.PERMANENT,
                attempts=number,
                problem=problem("package_undeliverable"),
            ),
        )
        if number == 1 or not dropped:
            yield (
                road.ORIGIN,
                LetterRetried(letter_id=letter, burial=number, requested_by="an operator"),
            )
    yield (
        road.ORIGIN,
        LetterDropped(letter_id=letter, burial=2, dropped_by="an operator", reason="it was taken again")
        if dropped
        else LetterSettled(letter_id=letter, burial=2),
    )


def holding(observation: Observation) -> Iterator[Step]:
    """The observation is held at one site; both sites release it, at different moments."""
    placed = observation.end + timedelta(hours=1)
    scope = HoldScope(kind=HoldKind.EXECUTED_OBS_UNIT, target=str(observation.id))
    held = hold_id(scope, placed)
    yield (
        road.ORIGIN,
        HoldPlaced(
            hold_id=held, scope=scope, reason="a transient", placed_by="an operator", placed_at=placed
        ),
    )
    for n, site in enumerate((road.ORIGIN, road.DESTINATION)):
        yield (
            site,
            HoldReleased(
                hold_id=held,
                reason=f"it was looked at in {site}",
                released_by=f"operator {n}",
                released_at=placed + timedelta(days=2 - n),
            ),
        )


def clearing(observation: Observation) -> Iterator[Step]:
    """The origin's buffer is cleared: announced, undone, announced again, then done."""
    record = observation.record
    copy = archive_copy(observation).model_copy(update={"location": road.ORIGIN_BUFFER})
    batch = derived_id("clearing", record.package_id, road.ORIGIN_BUFFER)
    gone = observation.end + timedelta(days=9)
    # A bundle is a manifest, so that there is nothing to delete of it; a release that had them may have told this.
    manifest = CopyRef(
        kind=CopyKind.DATA_TRANSFER_PACKAGE,
        entity_id=observation.bundle_id,
        location=road.ORIGIN_BUFFER,
        path=str(observation.bundle_id),
        size=0,
    )
    yield (
        road.ORIGIN,
        DeletionScheduled(
            location=road.ORIGIN_BUFFER,
            batch=derived_id("clearing", observation.bundle_id),
            copies=(manifest,),
        ),
    )
    if observation.number % 2:
        first = derived_id("clearing", record.package_id, road.ORIGIN_BUFFER, "in vain")
        yield road.ORIGIN, DeletionScheduled(location=road.ORIGIN_BUFFER, batch=first, copies=(copy,))
        refused = RefusedCopy(copy_ref=copy, problem=problem("held"), after=observation.end)
        yield road.ORIGIN, DeletionRefused(location=road.ORIGIN_BUFFER, refusals=(refused,))
    yield (
        road.ORIGIN,
        DeletionScheduled(location=road.ORIGIN_BUFFER, batch=batch, copies=(copy,)),
    )
    yield (
        road.ORIGIN,
        CopyDeleted(location=road.ORIGIN_BUFFER, batch=batch, deleted_at=gone, copies=(copy,)),
    )
