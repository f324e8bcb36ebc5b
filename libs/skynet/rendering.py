"""When the pictures of an asset are made anew: not with every change, and never by themselves.

A mark says since when they are out of date, and from when on they may be made: after a quiet time, but a longest wait
after the first change. Failures are waited out, longer each time, and capped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.skynet.assets import AssetCare, AssetEvent, ObservationAsset, RenderMarked
from contracts.skynet.fields import changed


@dataclass(frozen=True, slots=True)
class Debounce:
    """How changes are gathered.

    Attributes:
        quiet: So long after a change nothing else has to have changed.
        longest: So long after the first change they are made all the same.
        backoff: How long a failure is waited out; each further one twice as long as the one before.
        longest_backoff: At most so long.
        failures: After so many in a row it is not tried again until something changes.
    """

    quiet: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(minutes=5)
    backoff: timedelta = timedelta(minutes=1)
    longest_backoff: timedelta = timedelta(hours=1)
    failures: int = 5


Updates = tuple[Mapping[str, object], Mapping[str, object]]
"""Of an asset, and of its care."""


def mark(known: AssetEvent, now: datetime, debounce: Debounce) -> RenderMarked:
    """Something that its pictures show has changed."""
    of_asset, of_care = marked(known.asset, known.care, now, debounce)
    return RenderMarked(
        turn=known.turn + 1, asset=changed(known.asset, of_asset), care=changed(known.care, of_care)
    )


def marked(asset: ObservationAsset, care: AssetCare, now: datetime, debounce: Debounce) -> Updates:
    """The mark of a change, as updates. What failed is still waited out; what was given up is tried again."""
    before = asset.render_dirty_at
    first = min(
        care.first_dirty_at or before or now, now
    )  # a clock that was set back: nothing is before the first
    tick = timedelta(microseconds=1)
    since = now if before is None or before < now else before + tick  # another mark, whatever the clock says
    eligible_at = min(now + debounce.quiet, first + debounce.longest)
    if care.render_failures and asset.next_eligible_render_at is not None:
        eligible_at = max(eligible_at, asset.next_eligible_render_at)
    given_up = care.render_failures >= debounce.failures
    return (
        {"render_dirty_at": since, "next_eligible_render_at": eligible_at},
        {"first_dirty_at": first, "render_failures": 0 if given_up else care.render_failures},
    )


def eligible(known: AssetEvent, now: datetime, debounce: Debounce) -> bool:
    """Whether a run may be queued now, if there is none: its bytes are here, and its time has come."""
    asset = known.asset
    return (
        not asset.is_remote
        and asset.next_eligible_render_at is not None
        and asset.next_eligible_render_at <= now
        and known.care.render_failures < debounce.failures
    )


def rendered(asset: ObservationAsset, answered: datetime | None) -> Updates:
    """After a success: the mark is cleared if it is the one that the run answered; another one stays."""
    if asset.render_dirty_at != answered:
        return {}, {"render_failures": 0, "first_dirty_at": asset.render_dirty_at}
    return (
        {"render_dirty_at": None, "next_eligible_render_at": None},
        {"render_failures": 0, "first_dirty_at": None},
    )


def not_rendered(asset: ObservationAsset, care: AssetCare, now: datetime, debounce: Debounce) -> Updates:
    """After a failure: the mark stays, and is eligible later, even if more has changed since the run began."""
    if asset.next_eligible_render_at is None:
        return {}, {}
    failures = care.render_failures + 1
    again = max(asset.next_eligible_render_at, now + wait_after(failures, debounce))
    return {"next_eligible_render_at": again}, {"render_failures": failures}


def wait_after(failures: int, debounce: Debounce) -> timedelta:
    """How long so many failures in a row are waited out."""
    factor: int = 1 << min(max(failures - 1, 0), 20)
    return min(debounce.backoff * factor, debounce.longest_backoff)
