"""What an association waits for: exposures, its deadline, its products, or an operator."""

from collections.abc import Sequence

from contracts.association_states import AssociationState, MemberStatus
from libs.insight.members import Member, missing_of, unmade_of
from libs.insight.waits.words import NOTHING, Row, Waiting

MOST_NAMED = 5


def association(row: Row, context: Row) -> Waiting:
    """Its exposures, then its products.

    Args:
        row: Of asn_association.
        context: ``members``: every `libs.insight.members.Member` of it.
    """
    members: Sequence[Member] = context.get("members", ())
    match row.get("state"):
        case AssociationState.OPEN:
            return _open(row, members)
        case AssociationState.COLLECTED:
            return _collected(row, members)
        case AssociationState.FAILED:
            return Waiting(
                now=f"For a person: {row.get('problem_reason')}.",
                next="Nothing by itself; an exposure that comes now is an orphan.",
                remedy=f"When exposures have come: {_reopen(row)}",
                since=row.get("collected_at"),
            )
        case _:
            return Waiting(
                now="For its plan to be known here.",
                next="It is completed when the event arrives.",
                by="projector",
            )


def _open(row: Row, members: Sequence[Member]) -> Waiting:
    exposures = [one for one in members if one.member_status != MemberStatus.PRODUCT]
    missing, expected = missing_of(members), row.get("expected")
    unnamed = max(0, (expected or 0) - len(exposures))
    here = len(exposures) - len(missing)
    return Waiting(
        now=_for_what(missing, unnamed, here, expected),
        next=_next(row, complete=not missing and not unnamed and expected is not None, here=here),
        remedy=f"To collect it now with what is there: chasqui association collect {row['association_id']}"
        if here
        else "",
        since=row.get("opened_at"),
        next_at=row.get("deadline"),
        by="associator",
        at=row.get("site"),
    )


def _for_what(missing: Sequence[Member], unnamed: int, here: int, expected: int | None) -> str:
    parts = []
    if missing:
        parts.append(f"{_count(len(missing))}: {_named(missing)}")
    if unnamed:
        parts.append(f"{_count(unnamed)} that nobody has named yet")
    if parts:
        return f"For {'; and '.join(parts)}. Here: {here}."
    if expected is None:
        return f"For its deadline: nobody said how many exposures it has, and {here} came so far."
    return f"For the associator to collect it: all {here} are here."


def _count(exposures: int) -> str:
    return "1 exposure" if exposures == 1 else f"{exposures} exposures"


def _named(missing: Sequence[Member]) -> str:
    told = [f"{one.name} ({one.missing})" for one in missing[:MOST_NAMED]]
    more = len(missing) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")


def _next(row: Row, *, complete: bool, here: int) -> str:
    if complete:
        return "Its rows are decided, all together."
    if row.get("deadline") is None:
        return "It is collected when they are there; it has no deadline."
    what = "with what is there, and the others are orphans" if here else "as failed, if none is there"
    return f"It is collected when they are there, or at its deadline {what}."


def _collected(row: Row, members: Sequence[Member]) -> Waiting:
    late = [one for one in members if one.member_status == MemberStatus.ORPHAN and one.since is not None]
    unmade = unmade_of(members)
    if late:
        return Waiting(
            now=f"For a person: {_count(len(late))} came after the collection: "
            f"{', '.join(one.name for one in late[:MOST_NAMED])}.",
            next="Nothing by itself: they are orphans.",
            remedy=f"To make the products with them: {_reopen(row)}",
            since=min(one.since for one in late if one.since is not None),
        )
    if unmade:
        first = unmade[0].name
        return Waiting(
            now=f"For the data sets of its products: {', '.join(one.name for one in unmade[:MOST_NAMED])}.",
            next="Each counts as collected once its data set is told.",
            remedy="When a pipeline has made one and its file is filed: "
            f"chasqui association made {row['association_id']} {first[-1]} --file FILE",
            since=row.get("collected_at"),
        )
    return NOTHING


def _reopen(row: Row) -> str:
    return f'chasqui association reopen {row["association_id"]} --reason "…"'
