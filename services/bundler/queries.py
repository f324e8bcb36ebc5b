"""What the bundler asks ops-db."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from contracts.base import Event
from contracts.bundles import BundledPackage
from contracts.packages import PackageCorrupted
from libs.copies.records import RECORD_COLUMNS, record_of
from libs.opsdb.reader import OpsDbReader
from services.bundler.closing import Waiting

# An archive at the site itself may have a package before it is in a bundle; it travels all the same.
_WAITING = f"""
SELECT {RECORD_COLUMNS}, package.sealed_at, copy.location, copy.path
FROM raw_data_package package
JOIN physical_copy copy ON copy.entity_id = package.id AND copy.location = ANY($2::text[])
    AND copy.state IN ('present', 'deletion_possible', 'deletion_failed')
WHERE package.data_transfer_package_id IS NULL AND package.state IN ('waiting', 'archived')
  AND package.sealed_at IS NOT NULL AND package.provenance ->> 'site' = $1
ORDER BY package.priority, package.sealed_at, package.id LIMIT $3
"""  # noqa: S608  made of constants only

_IN_FLIGHT = """
SELECT count(*) FROM data_transfer_package bundle
WHERE bundle.route = $1 AND bundle.origin = $2 AND bundle.state IN ('pending', 'scheduled', 'in_progress', 'failed')
  AND NOT EXISTS (
    SELECT FROM data_transfer hop
    WHERE hop.data_transfer_package_id = bundle.id AND coalesce(hop.origin, $2) = $2
      AND hop.state IN ('completed', 'failed')
  )
"""

_NEWER = """
SELECT EXISTS (SELECT FROM event_record WHERE stream = $1 AND sequence > $2 AND type = ANY($3::text[]))
"""


# Attempts are counted over all hops: whatever is sent later answers what was found damaged before.
_SENT_AGAIN = "SELECT EXISTS (SELECT FROM bundled_package WHERE raw_data_package_id = $1 AND attempt > $2)"

_ROUTE = "SELECT route FROM data_transfer_package WHERE id = $1"


async def waiting(opsdb: OpsDbReader, site: str, buffers: Sequence[str], limit: int) -> list[Waiting]:
    """Packages that were sealed at `site`, lie in one of its buffers, and are in no bundle."""
    return [_waiting(row) for row in await opsdb.fetch(_WAITING, site, list(buffers), limit)]


def _waiting(row: Any) -> Waiting:  # noqa: ANN401  asyncpg's Record is not generic
    return Waiting(
        BundledPackage(package=record_of(row), location=row["location"], path=row["path"]), row["sealed_at"]
    )


async def in_flight(opsdb: OpsDbReader, route: str, site: str) -> int:
    """Bundles of a route that were closed at `site` and have not made their first hop."""
    return int(await opsdb.fetchval(_IN_FLIGHT, route, site))


async def newer_known(opsdb: OpsDbReader, stream: str, sequence: int, kinds: Sequence[type[Event]]) -> bool:
    """Whether ops-db has applied a later event of these kinds."""
    names = [kind.type_name() for kind in kinds]
    return bool(await opsdb.fetchval(_NEWER, stream, sequence, names))


async def was_sent_again(opsdb: OpsDbReader, event: PackageCorrupted) -> bool:
    """Whether a bundle is known in which the package travels, or travelled, after it had arrived like this."""
    return bool(await opsdb.fetchval(_SENT_AGAIN, event.package.package_id, event.attempt))


async def route_of(opsdb: OpsDbReader, bundle: UUID) -> str | None:
    """The route of a bundle; None if it is not known."""
    route: str | None = await opsdb.fetchval(_ROUTE, bundle)
    return route
