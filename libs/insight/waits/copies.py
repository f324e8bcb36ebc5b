"""What a copy waits for: its deletion, its repair, or nothing."""

from datetime import timedelta

from contracts.states import CopyState
from libs.insight.waits.words import NOTHING, Row, Waiting, latest, location

KEPT = frozenset({"retention"})
"""Codes of a refusal that time alone will lift."""


def copy(row: Row, context: Row) -> Waiting:
    """Deleted, damaged, kept for a reason, or well.

    Args:
        row: Of physical_copy.
        context: ``site``: of its location; ``archived_at``: of its package; ``keep_for``: the location's
            retention (timedelta); ``archive``: whether the location is an archive.
    """
    if row.get("state") == CopyState.DELETED or row.get("deleted_at") is not None:
        return Waiting(now="Nothing: this copy was deleted.", next="Nothing.", since=row.get("deleted_at"))
    if row.get("unrepairable_at") is not None:
        return Waiting(
            now=f"For a person: it is damaged ({row.get('scrub_problem_reason') or 'unknown'}), "
            "and no good copy was found to mend it with.",
            next="Every scrub looks again; the damaged bytes are kept.",
            remedy=str(
                row.get("scrub_problem_remedy") or "Find another copy of the package, and archive it again."
            ),
            since=row.get("unrepairable_at"),
        )
    if row.get("scrub_problem_code"):
        return Waiting(
            now=f"For its repair: {row.get('scrub_problem_reason') or row.get('scrub_problem_code')}.",
            next="It is written anew from a good copy, and read back.",
            since=row.get("scrubbed_at"),
            by="archiver",
            at=context.get("site"),
            uses=location(row.get("location")),
        )
    if row.get("state") == CopyState.DELETION_SCHEDULED:
        return Waiting(
            now="For the janitor to delete it.",
            next="It is looked at once more, and deleted.",
            since=latest(row, "scheduled_at"),
            by="janitor",
            at=context.get("site"),
        )
    if row.get("refusal_code"):
        return _refused(row, context)
    return NOTHING


def _refused(row: Row, context: Row) -> Waiting:
    archived, keep_for = context.get("archived_at"), context.get("keep_for")
    timed = row.get("state") == CopyState.DELETION_POSSIBLE or row.get("refusal_code") in KEPT
    due = archived + keep_for if timed and archived and isinstance(keep_for, timedelta) else None
    return Waiting(
        now=f"It stays: {row.get('refusal_reason')}",
        next="The janitor asks again with every sweep.",
        remedy=str(row.get("refusal_remedy") or ""),
        since=row.get("refused_at"),
        next_at=due,
        by="janitor",
        at=context.get("site"),
    )
