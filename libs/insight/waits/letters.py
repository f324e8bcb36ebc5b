"""What a dead letter waits for, and what a hold does."""

from contracts.states import LetterState
from libs.insight.waits.words import Row, Waiting


def letter(row: Row, _context: Row) -> Waiting:
    """An operator, its handler, or nothing more.

    Args:
        row: Of dead_letter.
    """
    handler = f"{row.get('service')}.{row.get('handler')}"
    match row.get("state"):
        case LetterState.RETRIED:
            return Waiting(
                now=f"For {handler} to handle it again.",
                next="It is settled, or buried again with its history.",
                since=row.get("decided_at"),
                by=row.get("service"),
                at=row.get("site"),
            )
        case LetterState.SETTLED:
            return Waiting(now="Nothing: it was handled after all.", next="Nothing.")
        case LetterState.DROPPED:
            return Waiting(
                now=f"Nothing: {row.get('decided_by')} dropped it: {row.get('drop_reason')}.", next="Nothing."
            )
        case _:
            return Waiting(
                now=f"For an operator: {handler} gave it up: {row.get('problem_reason') or 'unknown'}.",
                next="Nothing by itself.",
                remedy=f"{row.get('problem_remedy') or ''} Then: chasqui dead retry {row.get('id')}".strip(),
                since=row.get("buried_at"),
            )


def hold(row: Row, _context: Row) -> Waiting:
    """Its release.

    Args:
        row: Of deletion_hold.
    """
    if row.get("released_at") is not None:
        return Waiting(
            now=f"Nothing: {row.get('released_by')} released it: {row.get('release_reason')}.",
            next="Retention decides again.",
            since=row.get("released_at"),
        )
    return Waiting(
        now=f"For its release: {row.get('placed_by')} placed it: {row.get('reason')}.",
        next="Nothing within its scope is deleted until then.",
        remedy=f"When it is no longer needed: chasqui hold release {row.get('id')}",
        since=row.get("placed_at"),
    )
