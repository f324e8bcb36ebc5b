"""The events of a change."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from contracts.catalog.applied import CatalogApplied, apply_id
from libs.bus.parts import in_parts
from libs.catalog.differences import EntryChange
from libs.catalog.registered import Registered

A_MOMENT = timedelta(microseconds=1)


def events_of(
    changes: Sequence[EntryChange], known: Registered, *, site: str, now: datetime, by: str, reason: str
) -> list[CatalogApplied]:
    """What is to be told; it is newer than anything registered, even if the clock was set back.

    Args:
        changes: At least one.
        known: What they were compared with.
        site: Where it is told.
        now: By the clock.
        by: Who does it.
        reason: Why, if that was said.
    """
    at = now if known.newest is None else max(now, known.newest + A_MOMENT)
    entries = [change.after for change in changes]
    wanted = apply_id(site, at, [entry.model_dump_json() for entry in entries])
    return in_parts(
        entries,
        lambda chunk, part, parts: CatalogApplied.model_validate(
            {
                "apply_id": wanted,
                "applied_at": at,
                "applied_by": by,
                "reason": reason,
                "part": part,
                "parts": parts,
                "entries": chunk,
            }
        ),
    )
