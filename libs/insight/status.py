"""How a site is: services, queues, projection, work by state, disks, and the oldest file that is not archived."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from nats.aio.client import Client
from nats.errors import Error as NatsError

from contracts.base import Message, Utc
from contracts.files import CAME_BACK
from contracts.states import CopyState
from contracts.subjects import heartbeat_bucket
from libs.breakers.circuit import Circuit
from libs.breakers.shared import standing
from libs.bus.buckets import Facts, read_bucket
from libs.bus.connection import unavailable
from libs.insight.disks import Disk, disks_of
from libs.insight.progress import work_in_hand
from libs.insight.queues import Projection, Queue, what_waits
from libs.opsdb.reader import OpsDbReader
from libs.service.service import Place
from libs.sites.models import Deployment

OLDEST = """
    SELECT f.id, f.path, f.filed_at, f.state::text AS state
    FROM raw_data_file f LEFT JOIN raw_data_package p ON p.id = f.raw_data_package_id
    WHERE f.filed_at IS NOT NULL AND p.archived_at IS NULL
    ORDER BY f.filed_at, f.path LIMIT 1
"""

_UNFILED = """
    SELECT count(*) FROM unfiled_file u
    WHERE NOT u.filed OR u.problem_code = $1 AND NOT EXISTS (
        SELECT FROM raw_data_file f
        LEFT JOIN raw_data_file_physical_copy r ON r.raw_data_file_id = f.id
        LEFT JOIN physical_copy c ON c.id = r.id AND c.location = f.location
        WHERE f.location = u.location AND md5(f.path) = md5(u.path) AND f.path = u.path
          AND c.state IS DISTINCT FROM $2::copy_state
    )
"""
"""Files that nobody filed, and those that came back after they were deleted and have not been filed again."""

_WITHOUT_OBS_UNIT = """
    SELECT count(*) FROM executed_obs_unit e JOIN obs_unit o ON o.name = e.obs_unit WHERE o.applied_at IS NULL
"""

COPIES = """
    SELECT count(*) AS damaged, count(unrepairable_at) AS unrepairable FROM physical_copy
    WHERE scrub_problem_code IS NOT NULL AND state <> 'deleted'
"""


class Oldest(Message):
    """The file that has waited longest to be archived."""

    file_id: str
    path: str
    filed_at: Utc
    state: str
    age_s: float


class CopyHealth(Message):
    """The copies of the archives of all sites, as their scrubs left them.

    Attributes:
        damaged: Found damaged or missing, and not yet mended.
        unrepairable: Those of them for which no good copy was found: an alarm.
    """

    damaged: int
    unrepairable: int


class SiteStatus(Message):
    """Everything on the operator's one page, of one site.

    Attributes:
        services: How many instances of each service are alive; 0 for one that should be and is not.
        breakers: Those that ever opened, by key.
        holds: Those that stand: nothing within their scope is deleted.
        without_obs_unit: Observations of an ObsUnit that is not registered: complete as soon as it is.
        progress: What is being worked on, by key, as its worker last told it.
    """

    site: str
    at: Utc
    services: dict[str, int]
    queues: tuple[Queue, ...]
    projections: tuple[Projection, ...]
    dead_letters: int
    breakers: dict[str, Circuit]
    copies: CopyHealth
    holds: int
    observations: dict[str, int]
    without_obs_unit: int
    files: dict[str, int]
    packages: dict[str, int]
    bundles: dict[str, int]
    staging_jobs: dict[str, int]
    unfiled_files: int
    disks: tuple[Disk, ...]
    oldest_unarchived: Oldest | None
    progress: dict[str, Facts]


async def site_status(place: Place, client: Client, opsdb: OpsDbReader) -> SiteStatus:
    """Gather the status of a site.

    Args:
        place: The site.
        client: Connected to its NATS server.
        opsdb: Its ops-db.

    Raises:
        Retriable: ``bus_unavailable`` or ``opsdb_unavailable``.
    """
    now = datetime.now(UTC)
    waits = await what_waits(place, client, opsdb)
    return SiteStatus(
        site=place.site,
        at=now,
        services=instances(
            await _alive(place, client), wanted_services(place.deployment, place.site, waits.queues)
        ),
        queues=waits.queues,
        projections=waits.projections,
        dead_letters=waits.dead_letters,
        breakers=await standing(client, place.site),
        copies=await _copies(opsdb),
        holds=await opsdb.fetchval("SELECT count(*) FROM deletion_hold WHERE released_at IS NULL"),
        observations=await _by_state(opsdb, "executed_obs_unit"),
        without_obs_unit=await opsdb.fetchval(_WITHOUT_OBS_UNIT),
        files=await _by_state(opsdb, "raw_data_file"),
        packages=await _by_state(opsdb, "raw_data_package"),
        bundles=await _by_state(opsdb, "data_transfer_package"),
        staging_jobs=await _by_state(opsdb, "staging_job"),
        unfiled_files=await opsdb.fetchval(_UNFILED, CAME_BACK, CopyState.DELETED.value),
        disks=await disks_of(place),
        oldest_unarchived=await _oldest(opsdb, now),
        progress=await work_in_hand(client, place.site),
    )


def wanted_services(deployment: Deployment, site: str, queues: Iterable[Queue]) -> set[str]:
    """The services that a site should have: those with a queue, and those that work without one."""
    filing = {"filing"} if deployment.instruments_at(site) else set()
    return {"projector", "gateway", *filing, *(queue.service for queue in queues)}


def instances(alive: Mapping[str, Facts], wanted: Iterable[str]) -> dict[str, int]:
    """How many instances of each service are alive, by name.

    Args:
        alive: What the instances say about themselves, by instance.
        wanted: Services that are told even if none is alive.
    """
    counts = dict.fromkeys(wanted, 0)
    for facts in alive.values():
        name = str(facts.get("service", "unknown"))
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))


async def _alive(place: Place, client: Client) -> dict[str, Facts]:
    try:
        return await read_bucket(client, heartbeat_bucket(place.site))
    except (NatsError, OSError, TimeoutError) as error:
        raise unavailable(place.settings.nats.url, error) from error


async def _copies(opsdb: OpsDbReader) -> CopyHealth:
    row = await opsdb.fetchrow(COPIES)
    return CopyHealth(**dict(row)) if row is not None else CopyHealth(damaged=0, unrepairable=0)


async def _by_state(opsdb: OpsDbReader, table: str) -> dict[str, int]:
    rows = await opsdb.fetch(
        f"SELECT state::text AS state, count(*) AS n FROM {table} WHERE state IS NOT NULL GROUP BY state ORDER BY 1"  # noqa: S608  table names of this module
    )
    return {row["state"]: row["n"] for row in rows}


async def _oldest(opsdb: OpsDbReader, now: datetime) -> Oldest | None:
    row = await opsdb.fetchrow(OLDEST)
    if row is None:
        return None
    return Oldest(
        file_id=str(row["id"]),
        path=row["path"] or "",
        filed_at=row["filed_at"],
        state=row["state"] or "not known yet",
        age_s=max(0.0, (now - row["filed_at"]).total_seconds()),
    )
