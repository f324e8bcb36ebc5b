"""What the bundler asks ops-db."""

from collections.abc import Sequence
from typing import Any

from contracts.base import Event
from contracts.bundles import BundledPackage
from contracts.packages import PackageRecord, Provenance
from libs.opsdb.reader import OpsDbReader
from services.bundler.closing import Waiting

# An archive at the site itself may have a package before it is in a bundle; it travels all the same.
_WAITING = """
SELECT package.id, package.name, package.size, package.sha256, package.file_count, package.payload_bytes,
       package.priority, package.provenance::text AS provenance, package.sealed_at, copy.location, copy.path
FROM raw_data_package package
JOIN physical_copy copy ON copy.entity_id = package.id AND copy.state = 'present' AND copy.location = ANY($2::text[])
WHERE package.data_transfer_package_id IS NULL AND package.state IN ('waiting', 'archived')
  AND package.sealed_at IS NOT NULL AND package.provenance ->> 'site' = $1
ORDER BY package.priority, package.sealed_at, package.id LIMIT $3
"""

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


async def waiting(opsdb: OpsDbReader, site: str, buffers: Sequence[str], limit: int) -> list[Waiting]:
    """Packages that were sealed at `site`, lie in one of its buffers, and are in no bundle."""
    return [_waiting(row) for row in await opsdb.fetch(_WAITING, site, list(buffers), limit)]


def _waiting(row: Any) -> Waiting:  # noqa: ANN401  asyncpg's Record is not generic
    package = PackageRecord(
        package_id=row["id"],
        name=row["name"],
        size=row["size"],
        sha256=row["sha256"],
        file_count=row["file_count"],
        payload_bytes=row["payload_bytes"],
        priority=row["priority"],
        provenance=Provenance.model_validate_json(row["provenance"]),
    )
    return Waiting(
        BundledPackage(package=package, location=row["location"], path=row["path"]), row["sealed_at"]
    )


async def in_flight(opsdb: OpsDbReader, route: str, site: str) -> int:
    """Bundles of a route that were closed at `site` and have not made their first hop."""
    return int(await opsdb.fetchval(_IN_FLIGHT, route, site))


async def newer_known(opsdb: OpsDbReader, stream: str, sequence: int, kinds: Sequence[type[Event]]) -> bool:
    """Whether ops-db has applied a later event of these kinds."""
    names = [kind.type_name() for kind in kinds]
    return bool(await opsdb.fetchval(_NEWER, stream, sequence, names))
