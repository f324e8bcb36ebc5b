"""Dead letters."""

from contracts.envelope import Envelope
from contracts.letters import LetterBuried, LetterDropped, LetterRetried, LetterSettled
from contracts.states import LetterState
from libs.opsdb.projection.changes import Change, one, problem_columns
from libs.opsdb.projection.folds.journals import said
from libs.opsdb.projection.tables import DEAD_LETTER


def letter_buried(told: Envelope, event: LetterBuried) -> list[Change]:
    """It waits for an operator, for the first time or again."""
    columns = {
        "site": told.site,
        "service": event.service,
        "handler": event.handler,
        "stream": event.stream,
        "sequence": event.sequence,
        "type": event.type,
        "entity_id": event.entity_id,
        "failure": event.failure,
        "attempts": event.attempts,
        "burials": event.burial,
        "state": LetterState.BURIED,
        "buried_at": told.time,
        **problem_columns(event.problem),
    }
    return [one(DEAD_LETTER, (event.letter_id,), columns)]


def letter_retried(told: Envelope, event: LetterRetried) -> list[Change]:
    """It is on its way to its handler again."""
    columns = {
        "state": LetterState.RETRIED,
        "decided_at": told.time,
        "decided_by": event.requested_by,
    }
    return [
        one(DEAD_LETTER, (event.letter_id,), columns),
        said(told, actor=event.requested_by, message="a dead letter is sent again"),
    ]


def letter_settled(told: Envelope, event: LetterSettled) -> list[Change]:
    """It was handled after all."""
    return [one(DEAD_LETTER, (event.letter_id,), {"state": LetterState.SETTLED, "settled_at": told.time})]


def letter_dropped(told: Envelope, event: LetterDropped) -> list[Change]:
    """It will not be handled."""
    columns = {
        "state": LetterState.DROPPED,
        "decided_at": told.time,
        "decided_by": event.dropped_by,
        "drop_reason": event.reason,
    }
    return [
        one(DEAD_LETTER, (event.letter_id,), columns),
        said(told, actor=event.dropped_by, message=f"a dead letter is dropped: {event.reason}"),
    ]
