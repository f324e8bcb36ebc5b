"""What else there is around a thing: the ids it belongs with, and the facts that decide what it waits for."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from contracts.states import LocationType
from libs.insight import network
from libs.insight.members import members_of
from libs.opsdb.reader import OpsDbReader
from libs.sites.models import Deployment

Related = dict[str, tuple[UUID | str, ...]]
"""By what they are (``observation``, ``package``, ``bundle``, ``transfer``, ``association``)."""

MOST_RELATED = 100

_OWN_COLUMNS = {
    "observation": "executed_obs_unit_id",
    "package": "raw_data_package_id",
    "bundle": "data_transfer_package_id",
}
_PACKAGES = {
    "executed_obs_unit": "SELECT id FROM raw_data_package WHERE executed_obs_unit_id = $1",
    "data_transfer_package": "SELECT raw_data_package_id AS id FROM bundled_package WHERE data_transfer_package_id = $1",
    "staging_job": "SELECT raw_data_package_id AS id FROM staging_job_package WHERE staging_job_id = $1",
}
_BUNDLES = (
    "SELECT DISTINCT data_transfer_package_id AS id FROM bundled_package WHERE raw_data_package_id = ANY($1)"
)
_TRANSFERS = "SELECT id FROM data_transfer WHERE data_transfer_package_id = ANY($1)"
_ROUTES = """
    SELECT count(*) FROM data_transfer_route r
    JOIN data_location l ON l.site = r.origin WHERE l.name = $1
"""
_HOP = """
    SELECT * FROM data_transfer WHERE data_transfer_package_id = $1
    ORDER BY started_at DESC NULLS LAST, id LIMIT 1
"""
_ARCHIVED_AT = """
    SELECT p.archived_at FROM raw_data_package p
    WHERE p.id = $1 OR p.id = (SELECT f.raw_data_package_id FROM raw_data_file f WHERE f.id = $1)
"""
_OBSERVATIONS = """
    SELECT DISTINCT executed_obs_unit_id AS id FROM asn_members
    WHERE association_id = $1 AND executed_obs_unit_id IS NOT NULL
"""
_ASSOCIATIONS = "SELECT DISTINCT association_id AS id FROM asn_members WHERE executed_obs_unit_id = $1"
_UNREGISTERED = """
    SELECT 'ObsUnit ' || quote_literal(name) AS what FROM obs_unit WHERE name = $1 AND applied_at IS NULL
    UNION ALL
    SELECT 'observing program ' || quote_literal(name) FROM observing_program WHERE name = $2 AND applied_at IS NULL
"""
_OWNERS = {
    "raw_data_file": "observation",
    "raw_data_package": "package",
    "data_transfer_package": "bundle",
}


async def related_to(opsdb: OpsDbReader, kind: str, row: Mapping[str, Any]) -> Related:
    """The observations, packages, bundles, transfers and associations that a thing belongs with; itself left out.

    Args:
        opsdb: The site's ops-db.
        kind: Its table.
        row: Its row.
    """
    if kind == "asn_association":
        return {"observation": await _ids(opsdb, _OBSERVATIONS, row["association_id"])}
    if kind in {"optical_imaging_task", "observation_asset", "camera"}:
        queries = network.related_queries(kind, row)
        found = {what: await _ids(opsdb, query, argument) for what, (query, argument) in queries.items()}
        return {what: ids for what, ids in found.items() if ids}
    related: Related = {
        what: (row[column],) for what, column in _OWN_COLUMNS.items() if row.get(column) is not None
    }
    if kind == "physical_copy":
        related[_OWNERS.get(str(row["kind"]), "package")] = (row["entity_id"],)
    if kind == "dead_letter" and (about := _as_id(row.get("entity_id"))) is not None:
        related["about"] = (about,)
    if kind == "executed_obs_unit":
        related["association"] = await _ids(opsdb, _ASSOCIATIONS, row["id"])
    if kind in _PACKAGES:
        related["package"] = await _ids(opsdb, _PACKAGES[kind], row["id"])
    packages = (row["id"],) if kind == "raw_data_package" else related.get("package", ())
    if kind in ("raw_data_file", "raw_data_package", "executed_obs_unit") and packages:
        related["bundle"] = await _ids(opsdb, _BUNDLES, list(packages))
    bundles = (row["id"],) if kind == "data_transfer_package" else related.get("bundle", ())
    if kind != "data_transfer" and bundles:
        related["transfer"] = await _ids(opsdb, _TRANSFERS, list(bundles))
    return {what: ids for what, ids in related.items() if ids}


async def context_of(
    opsdb: OpsDbReader, deployment: Deployment, kind: str, row: Mapping[str, Any]
) -> dict[str, Any]:
    """The facts beyond its own row that decide what a thing waits for; see `libs.insight.waits`.

    Args:
        opsdb: The site's ops-db.
        deployment: Knows how long things may wait and are kept.
        kind: Its table.
        row: Its row.
    """
    match kind:
        case "executed_obs_unit":
            return {
                "files": await counts_of(opsdb, "raw_data_file", "executed_obs_unit_id", row["id"]),
                "packages": await counts_of(opsdb, "raw_data_package", "executed_obs_unit_id", row["id"]),
                "unregistered": await _unregistered(opsdb, row),
            }
        case "raw_data_package":
            return await _package(opsdb, deployment, row)
        case "raw_data_file":
            package = await _row(opsdb, "raw_data_package", row.get("raw_data_package_id"))
            unit = await _row(opsdb, "executed_obs_unit", row.get("executed_obs_unit_id"))
            return {
                "package": package,
                "observation": unit,
                **await _package(opsdb, deployment, package),
            }
        case "data_transfer_package":
            return {"hop": await _first(opsdb, _HOP, row["id"])}
        case "staging_job":
            return {"site": _site_of(deployment, row["location"]), "archives": _archives(deployment)}
        case "asn_association":
            return {"members": await members_of(opsdb, row["association_id"])}
        case "physical_copy":
            return await _copy(opsdb, deployment, row)
        case "camera":
            return await network.camera(opsdb, row)
        case _:
            return {}


async def _unregistered(opsdb: OpsDbReader, row: Mapping[str, Any]) -> tuple[str, ...]:
    """What an observation was made of or for and nobody has registered, in words."""
    named = row.get("obs_unit"), row.get("observing_program")
    return tuple(one["what"] for one in await opsdb.fetch(_UNREGISTERED, *named))


async def counts_of(opsdb: OpsDbReader, table: str, column: str, owner: UUID) -> dict[str, int]:
    """How many rows of a table belong to something, by state."""
    rows = await opsdb.fetch(
        f"SELECT state::text AS state, count(*) AS n FROM {table} WHERE {column} = $1 AND state IS NOT NULL GROUP BY state ORDER BY 1",  # noqa: S608  names in this code
        owner,
    )
    return {row["state"]: row["n"] for row in rows}


async def _package(opsdb: OpsDbReader, deployment: Deployment, package: Mapping[str, Any]) -> dict[str, Any]:
    """Its bundle, the newest hop of that, the archives at its end, and how long its route lets it wait.

    ``routes`` counts those that leave the site of its SOURCE: without one it is archived where it is.
    """
    if not package:
        return {}
    bundle = await _row(opsdb, "data_transfer_package", package.get("data_transfer_package_id"))
    origin = _site_of(deployment, package.get("source_location"))
    routes = deployment.routes_from(origin) if origin else {}
    end = bundle.get("destination") or (origin if not routes else None)
    context: dict[str, Any] = {
        "origin": origin,
        "bundle": bundle,
        "hop": await _first(opsdb, _HOP, bundle["id"]) if bundle else {},
        "archives": _archives(deployment, end),
        "longest_wait": max((route.longest_wait for route in routes.values()), default=None),
    }
    if package.get("source_location") is not None:
        context["routes"] = await opsdb.fetchval(_ROUTES, package["source_location"])
    return context


async def _copy(opsdb: OpsDbReader, deployment: Deployment, row: Mapping[str, Any]) -> dict[str, Any]:
    site = _site_of(deployment, row.get("location"))
    if site is None:
        return {}
    settings = deployment.site(site).locations[row["location"]]
    archived = await opsdb.fetchval(_ARCHIVED_AT, row.get("entity_id"))
    return {
        "site": site,
        "archived_at": archived,
        "keep_for": settings.retention.keep_for,
        "archive": settings.type is LocationType.LONG_TERM_ARCHIVE,
    }


def _site_of(deployment: Deployment, location: str | None) -> str | None:
    """None for a location that the deployment does not name (any more)."""
    return next((site for site, name, _ in deployment.locations() if name == location), None)


def _archives(deployment: Deployment, at: str | None = None) -> tuple[str, ...]:
    """The archives of a site, or of all."""
    return tuple(
        name
        for site, name, location in deployment.locations()
        if location.type is LocationType.LONG_TERM_ARCHIVE and at in {None, site}
    )


async def _first(opsdb: OpsDbReader, query: str, argument: object) -> dict[str, Any]:
    row = await opsdb.fetchrow(query, argument)
    return {} if row is None else dict(row)


async def _row(opsdb: OpsDbReader, table: str, wanted: UUID | None) -> dict[str, Any]:
    if wanted is None:
        return {}
    row = await opsdb.fetchrow(f"SELECT * FROM {table} WHERE id = $1", wanted)  # noqa: S608  names of this module
    return {} if row is None else dict(row)


def _as_id(text: str | None) -> UUID | None:
    """Letters are about things with ids, and now and then about a location's name."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


async def _ids(opsdb: OpsDbReader, query: str, argument: object) -> tuple[UUID | str, ...]:
    rows = await opsdb.fetch(f"{query} ORDER BY 1 LIMIT {MOST_RELATED}", argument)
    return tuple(row["id"] for row in rows)
