"""Replays: they change nothing by themselves, and are remembered."""

from contracts.envelope import Envelope
from contracts.replays import ReplayRequested
from libs.opsdb.projection.changes import Change
from libs.opsdb.projection.folds.journals import said


def replay_requested(told: Envelope, event: ReplayRequested) -> list[Change]:
    """Somebody had it sent."""
    to = event.service if event.handler is None else f"{event.service}.{event.handler}"
    asked = event.model_dump(mode="json", exclude={"schema_version", "requested_by"})
    message = f"events from {event.begin} to {event.end or 'the end of the log'} are sent to {to} again"
    return [said(told, actor=event.requested_by, message=message, details=asked)]
