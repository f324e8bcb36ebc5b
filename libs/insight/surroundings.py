"""What else there is around a thing: the ids it belongs with, and the facts that decide what it waits for."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from libs.opsdb.reader import OpsDbReader

Related = dict[str, tuple[UUID, ...]]
"""By what they are (``observation``, ``package``, ``bundle``, ``transfer``)."""

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
_OWNERS = {
    "raw_data_file": "observation",
    "raw_data_package": "package",
    "data_transfer_package": "bundle",
}


async def related_to(opsdb: OpsDbReader, kind: str, row: Mapping[str, Any]) -> Related:
    """The observation, packages, bundles and transfers that a thing belongs with; itself left out.

    Args:
        opsdb: The site's ops-db.
        kind: Its table.
        row: Its row.
    """
    related: Related = {
        what: (row[column],) for what, column in _OWN_COLUMNS.items() if row.get(column) is not None
    }
    if kind == "physical_copy":
        related[_OWNERS.get(str(row["kind"]), "package")] = (row["entity_id"],)
    if kind in _PACKAGES:
        related["package"] = await _ids(opsdb, _PACKAGES[kind], row["id"])
    packages = (row["id"],) if kind == "raw_data_package" else related.get("package", ())
    if kind in ("raw_data_file", "raw_data_package", "executed_obs_unit") and packages:
        related["bundle"] = await _ids(opsdb, _BUNDLES, list(packages))
    bundles = (row["id"],) if kind == "data_transfer_package" else related.get("bundle", ())
    if kind != "data_transfer" and bundles:
        related["transfer"] = await _ids(opsdb, _TRANSFERS, list(bundles))
    return {what: ids for what, ids in related.items() if ids}


async def context_of(opsdb: OpsDbReader, kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The facts beyond its own row that decide what a thing waits for; see `libs.insight.waiting`.

    Args:
        opsdb: The site's ops-db.
        kind: Its table.
        row: Its row.
    """
    match kind:
        case "executed_obs_unit":
            return {
                "files": await counts_of(opsdb, "raw_data_file", "executed_obs_unit_id", row["id"]),
                "packages": await counts_of(opsdb, "raw_data_package", "executed_obs_unit_id", row["id"]),
            }
        case "raw_data_package":
            return await _routes(opsdb, row)
        case "raw_data_file":
            package = await _row(opsdb, "raw_data_package", row.get("raw_data_package_id"))
            unit = await _row(opsdb, "executed_obs_unit", row.get("executed_obs_unit_id"))
            return {"package": package, "observation": unit, **await _routes(opsdb, package)}
        case _:
            return {}


async def counts_of(opsdb: OpsDbReader, table: str, column: str, owner: UUID) -> dict[str, int]:
    """How many rows of a table belong to something, by state."""
    rows = await opsdb.fetch(
        f"SELECT state::text AS state, count(*) AS n FROM {table} WHERE {column} = $1 AND state IS NOT NULL GROUP BY state ORDER BY 1",  # noqa: S608  names in this code
        owner,
    )
    return {row["state"]: row["n"] for row in rows}


async def _routes(opsdb: OpsDbReader, package: Mapping[str, Any]) -> dict[str, Any]:
    """How many routes leave the site of a package's SOURCE: without one it is archived where it is."""
    if package.get("source_location") is None:
        return {}
    return {"routes": await opsdb.fetchval(_ROUTES, package["source_location"])}


async def _row(opsdb: OpsDbReader, table: str, wanted: UUID | None) -> dict[str, Any]:
    if wanted is None:
        return {}
    row = await opsdb.fetchrow(f"SELECT * FROM {table} WHERE id = $1", wanted)  # noqa: S608  names of this module
    return {} if row is None else dict(row)


async def _ids(opsdb: OpsDbReader, query: str, argument: object) -> tuple[UUID, ...]:
    rows = await opsdb.fetch(f"{query} ORDER BY 1 LIMIT {MOST_RELATED}", argument)
    return tuple(row["id"] for row in rows)
