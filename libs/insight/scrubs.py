"""How the archives of a site are: how much of them was read again in time, what is damaged, what was mended."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from contracts.base import Message, Utc
from contracts.problems import Problem
from libs.copies.holdings import FUTURE, HELD, READ_AT
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from libs.sites.models import S3Location

MOST_DAMAGES = 100

# What was read by a clock that was wrong was not read; and what never was is as old as the copy itself.
_COPIES = f"""
WITH held AS (
    SELECT copy.*, package.name, CASE WHEN {READ_AT} <= $2 THEN {READ_AT} END AS read_at {HELD}
)
"""
_SUMMED = f"""
{_COPIES}
SELECT count(*) AS copies, coalesce(sum(size), 0)::bigint AS size,
       count(*) FILTER (WHERE read_at >= $3) AS read_copies,
       coalesce(sum(size) FILTER (WHERE read_at >= $3), 0)::bigint AS read_size,
       count(*) FILTER (WHERE read_at IS NULL) AS never_read,
       count(*) FILTER (WHERE coalesce(read_at, created_at) < $3) AS overdue,
       min(coalesce(read_at, created_at)) AS unread_since,
       count(scrub_problem_code) AS damaged,
       count(unrepairable_at) AS unrepairable,
       count(repaired_at) AS repaired
FROM held
"""  # noqa: S608  made of constants only
_DAMAGES = f"""
{_COPIES}
SELECT entity_id AS package_id, name, location, path AS key, size, scrub_problem_code AS code,
       scrub_problem_reason AS reason, scrub_problem_remedy AS remedy, scrubbed_at AS found_at, unrepairable_at
FROM held WHERE scrub_problem_code IS NOT NULL
ORDER BY unrepairable_at NULLS LAST, scrubbed_at, id LIMIT $3
"""  # noqa: S608  made of constants only
_READINGS = f"""
SELECT copy.entity_id AS package_id, package.name, copy.location, copy.path AS key, copy.size,
       copy.created_at AS archived_at, {READ_AT} AS read_at, copy.scrub_problem_code AS code,
       copy.scrub_problem_reason AS reason, copy.scrub_problem_remedy AS remedy, copy.unrepairable_at,
       copy.repaired_at, copy.repaired_from
{HELD} AND copy.entity_id = ANY($2::uuid[]) ORDER BY package.name, copy.entity_id
"""


class Damage(Message):
    """An archive copy that is on record as damaged or missing.

    Attributes:
        found_at: When it was found so last.
        unrepairable_at: Since when there is no good copy to mend it with, as far as is known; None while it is
            being mended, or a source is waited for.
    """

    package_id: UUID
    name: str
    location: str
    key: str
    size: int
    problem: Problem
    found_at: Utc | None
    unrepairable_at: Utc | None


class ScrubReport(Message):
    """How one archive is.

    Attributes:
        active: Whether this archive is scrubbed.
        period_s: Within so many seconds every copy is to be read; `rate` is how fast at most, bytes per second.
        copies: What it holds; `size` is the bytes of all.
        read_copies: How many of them were read within the period; `read_size` is their bytes.
        never_read: How many were never read since they were written: proven by the server's word alone.
        overdue: How many have been unread for longer than the period.
        unread_since: Since when the copy that was unread for longest has been so; None if there are none.
        unread_s: The same in seconds.
        needed_rate: Bytes per second at which the period can just be kept.
        damaged: Copies that are on record as damaged or missing, `unrepairable` those of them without a good copy.
        repaired: Copies that were ever mended.
        damages: Those that are damaged, the ones without a good copy first; a hundred at most.
    """

    site: str
    location: str
    active: bool
    period_s: float
    rate: int
    copies: int
    size: int
    read_copies: int
    read_size: int
    never_read: int
    overdue: int
    unread_since: Utc | None
    unread_s: float | None
    needed_rate: float
    damaged: int
    unrepairable: int
    repaired: int
    damages: tuple[Damage, ...]

    @property
    def coverage(self) -> float:
        """The share of the bytes that were read within the period; 1 for an empty archive."""
        return self.read_size / self.size if self.size else 1.0

    @property
    def is_well(self) -> bool:
        """Whether nothing is damaged, and nothing overdue."""
        return not self.damaged and not (self.active and self.overdue)


class Reading(Message):
    """What is on record of one archive copy.

    Attributes:
        read_at: When it was read in full last; None if it never was.
        problem: What was found then; None if it was whole, or was mended since.
    """

    package_id: UUID
    name: str
    location: str
    key: str
    size: int
    archived_at: Utc | None
    read_at: Utc | None
    problem: Problem | None
    unrepairable_at: Utc | None
    repaired_at: Utc | None
    repaired_from: str | None


async def scrub_reports(
    place: Place, opsdb: OpsDbReader, *, now: datetime | None = None
) -> tuple[ScrubReport, ...]:
    """How each archive of a site is, in the order of the deployment file.

    Args:
        place: The site.
        opsdb: Its ops-db.
        now: The time; the present if left out.

    Raises:
        Retriable: ``opsdb_unavailable``.
    """
    when = now or datetime.now(UTC)
    return tuple(
        [
            await _report(place.site, name, settings, opsdb, when)
            for name, settings in archives_of(place).items()
        ]
    )


def archives_of(place: Place) -> dict[str, S3Location]:
    """The archives of a site, inactive ones included: what they hold counts as copies all the same."""
    return {name: one for name, one in place.settings.locations.items() if isinstance(one, S3Location)}


async def readings(
    opsdb: OpsDbReader, locations: Sequence[str], packages: Sequence[UUID]
) -> tuple[Reading, ...]:
    """What is on record of the copies of some packages in some archives.

    Raises:
        Retriable: ``opsdb_unavailable``.
    """
    found = [row for location in locations for row in await opsdb.fetch(_READINGS, location, list(packages))]
    return tuple(_reading(row) for row in found)


async def _report(
    site: str, location: str, settings: S3Location, opsdb: OpsDbReader, now: datetime
) -> ScrubReport:
    scrub = settings.scrub
    row = await opsdb.fetchrow(_SUMMED, location, now + FUTURE, now - scrub.period)
    damages = await opsdb.fetch(_DAMAGES, location, now + FUTURE, MOST_DAMAGES)
    figures: dict[str, Any] = dict(row) if row is not None else {}
    since = figures.get("unread_since")
    return ScrubReport(
        site=site,
        location=location,
        active=scrub.active,
        period_s=scrub.period.total_seconds(),
        rate=int(scrub.rate),
        unread_s=None if since is None else max(0.0, (now - since).total_seconds()),
        needed_rate=figures.get("size", 0) / scrub.period.total_seconds(),
        damages=tuple(_damage(one) for one in damages),
        **figures,
    )


def _damage(row: Any) -> Damage:  # noqa: ANN401  asyncpg's Record is not generic
    return Damage(
        package_id=row["package_id"],
        name=row["name"] or str(row["package_id"]),
        location=row["location"],
        key=row["key"],
        size=row["size"] or 0,
        problem=Problem(code=row["code"], reason=row["reason"] or "", remedy=row["remedy"] or ""),
        found_at=row["found_at"],
        unrepairable_at=row["unrepairable_at"],
    )


def _reading(row: Any) -> Reading:  # noqa: ANN401  asyncpg's Record is not generic
    problem = None
    if row["code"] is not None:
        problem = Problem(code=row["code"], reason=row["reason"] or "", remedy=row["remedy"] or "")
    return Reading(
        package_id=row["package_id"],
        name=row["name"] or str(row["package_id"]),
        location=row["location"],
        key=row["key"],
        size=row["size"] or 0,
        archived_at=row["archived_at"],
        read_at=row["read_at"],
        problem=problem,
        unrepairable_at=row["unrepairable_at"],
        repaired_at=row["repaired_at"],
        repaired_from=row["repaired_from"],
    )
