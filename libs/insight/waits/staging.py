"""What a staging job waits for."""

from contracts.states import WorkState
from libs.insight.waits.words import Row, Waiting, for_a_person, location


def staging(row: Row, context: Row) -> Waiting:
    """Its packages, then its user, then the janitor.

    Args:
        row: Of staging_job.
        context: ``site``: of its PROCESSING location; ``archives``: names of the archives it is recalled from.
    """
    at = context.get("site")
    if row.get("released_at") is not None:
        return Waiting(
            now="For the janitor to clear its folder.",
            next="The staged copies are deleted.",
            since=row.get("released_at"),
            by="janitor",
            at=at,
        )
    match row.get("state"):
        case WorkState.COMPLETED:
            return Waiting(
                now="For its user to be done with it.",
                next=f"It expires at {row.get('expires_at') or 'no fixed time'}.",
                remedy="Release it when it is no longer needed.",
                since=row.get("completed_at"),
                next_at=row.get("expires_at"),
            )
        case WorkState.FAILED:
            return for_a_person(row, "it failed", "Ask again with what is archived.")
        case _:
            archives: tuple[str, ...] = context.get("archives", ())
            return Waiting(
                now="For the stager to recall its packages.",
                next="They are unpacked and verified.",
                since=row.get("requested_at"),
                by="stager",
                at=at,
                uses=tuple(key for name in (row.get("location"), *archives) for key in location(name)),
            )
