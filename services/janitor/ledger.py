"""Reading the copies that are at a location, the oldest first, a page at a time."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from services.janitor.facts import PackageFacts
from services.janitor.premises import Premises
from services.janitor.queries import (
    HISTORY,
    Fetching,
    KnownCopy,
    KnownPackage,
    buffer_copy,
    package_facts,
    source_copy,
)

PAGE = 2000
"""Copies read at once."""

_THERE = """
SELECT * FROM physical_copy
WHERE location = $1 AND state <> 'deleted' AND (created_at, id) > ($2, $3) AND kind = '{kind}'
ORDER BY created_at, id LIMIT $4
"""

_FILES = f"""
SELECT copy.id AS copy_id, {HISTORY}, copy.entity_id AS id, copy.location, copy.path, file.size, file.mtime_ns,
       file.sha256, file.state::text AS state, file.raw_data_package_id AS package
FROM ({_THERE.format(kind="raw_data_file")}) copy LEFT JOIN raw_data_file file ON file.id = copy.entity_id
ORDER BY copy.created_at, copy.id
"""  # noqa: S608 - constants only

_PACKAGES = f"""
SELECT copy.id AS copy_id, {HISTORY}, copy.entity_id AS package, copy.location, copy.path, copy.size
FROM ({_THERE.format(kind="raw_data_package")}) copy ORDER BY copy.created_at, copy.id
"""  # noqa: S608 - constants only


@dataclass(frozen=True, slots=True)
class Place:
    """After which copy of a location a page begins."""

    since: datetime
    copy: UUID


BEGIN = Place(datetime(1, 1, 2, tzinfo=UTC), UUID(int=0))


@dataclass(frozen=True, slots=True)
class Entry:
    """A copy, and the package it is or is in; None if it is in none, or nothing is known of that here."""

    known: KnownCopy
    package: PackageFacts | None


@dataclass(frozen=True, slots=True)
class Page:
    """Some copies.

    Attributes:
        next: Where the next page begins; None after the last one.
    """

    entries: tuple[Entry, ...]
    next: Place | None


async def page(
    opsdb: Fetching, premises: Premises, location: str, after: Place = BEGIN, size: int = PAGE
) -> Page:
    """The oldest copies at a SOURCE or BUFFER location after a place.

    Three queries, however many packages the copies are of.

    Args:
        opsdb: The site's ops-db, or a snapshot of it.
        premises: The site.
        location: The location.
        after: Where the page before ended.
        size: At most so many copies.
    """
    sources = location in premises.sources
    rows = await opsdb.fetch(_FILES if sources else _PACKAGES, location, after.since, after.copy, size)
    packages = {row["package"] for row in rows if row["package"] is not None}
    known = await package_facts(opsdb, premises, sorted(packages))
    entries = []
    for row in rows:
        package: KnownPackage | None = known.get(row["package"])
        copy = source_copy(row, row) if sources else buffer_copy(row, premises, package)
        entries.append(Entry(copy, package.facts if package is not None else None))
    full = len(rows) == size
    return Page(tuple(entries), Place(rows[-1]["created_at"], rows[-1]["copy_id"]) if full and rows else None)
