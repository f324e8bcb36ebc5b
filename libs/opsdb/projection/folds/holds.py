"""Holds."""

from contracts.envelope import Envelope
from contracts.holds import HoldPlaced, HoldReleased
from libs.opsdb.projection.changes import Change, one
from libs.opsdb.projection.folds.journals import said
from libs.opsdb.projection.tables import DELETION_HOLD


def hold_placed(told: Envelope, event: HoldPlaced) -> list[Change]:
    """It stands, unless its release was heard before."""
    columns = {
        "kind": event.scope.kind,
        "target": event.scope.target,
        "reason": event.reason,
        "placed_by": event.placed_by,
        "placed_at": event.placed_at,
    }
    scope = f"{event.scope.kind.value} {event.scope.target}"
    return [
        one(DELETION_HOLD, (event.hold_id,), columns),
        said(told, actor=event.placed_by, message=f"a hold on {scope}: {event.reason}"),
    ]


def hold_released(told: Envelope, event: HoldReleased) -> list[Change]:
    """It stands no more."""
    columns = {
        "released_at": event.released_at,
        "released_by": event.released_by,
        "release_reason": event.reason,
    }
    return [
        one(DELETION_HOLD, (event.hold_id,), columns),
        said(told, actor=event.released_by, message=f"a hold is released: {event.reason}"),
    ]
