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
            remedy=_put_back(row, in_archive=bool(context.get("archive"))),
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


def _put_back(row: Row, *, in_archive: bool) -> str:
    """What to do about a copy that nothing was found to mend with; what the scrub had said of it holds no more."""
    package = row.get("entity_id")
    if in_archive:
        return (
            "Put a whole copy of the package to where it was in a BUFFER of this site, then have it read: "
            f"chasqui scrub {package} --now. Keep the damaged one: most of its files may be whole."
        )
    return (
        f"Put the files back to SOURCE as they were, or a whole copy of the package to {row.get('path')} in "
        f"{row.get('location')}; then send the dead letter again: chasqui dead list."
    )


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
