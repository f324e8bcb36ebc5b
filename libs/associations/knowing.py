"""What ops-db knows of associations, and of the exposures that are there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic_core import from_json

from contracts.association_states import MemberStatus
from contracts.associations import (
    Claim,
    Collection,
    Exposure,
    ExposureMember,
    Head,
    Opening,
    ProductMember,
)
from contracts.problems import Problem
from libs.associations.association import Association
from libs.associations.deciding import Arrival
from libs.opsdb.reader import OpsDbReader, Snapshot

_ASSOCIATION = "SELECT * FROM asn_association WHERE association_id = $1"

_MEMBERS = "SELECT * FROM asn_members WHERE association_id = $1 ORDER BY program_id, obset_id, member_num"

_LINKS = """
SELECT right(product_num, 1) AS product, program_id || obset_id || member_num AS exposure
FROM asn_product_link WHERE association_id = $1
"""

_EXPOSURE = """
SELECT exposure_name, member_type, claims FROM asn_exposure WHERE executed_obs_unit_id = $1
"""

# An exposure is there once its observation was finished as planned and every file of it is in a sealed package.
_ARRIVALS = """
SELECT e.executed_obs_unit_id AS unit, e.program_id, e.obset_id, e.member_num, e.member_type,
       greatest(u.finished_at, max(f.packaged_at)) AS arrived_at
FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted(program_id, obset_id, member_num)
JOIN asn_exposure e USING (program_id, obset_id, member_num)
JOIN executed_obs_unit u ON u.id = e.executed_obs_unit_id
JOIN raw_data_file f ON f.executed_obs_unit_id = u.id
WHERE u.state = 'finished' AND u.file_count > 0
GROUP BY e.executed_obs_unit_id, u.id
HAVING count(*) FILTER (WHERE f.state = 'packaged') >= u.file_count
ORDER BY arrived_at, unit
"""

_CONTAINING = """
SELECT DISTINCT m.association_id FROM asn_members m JOIN asn_association a USING (association_id)
WHERE m.program_id = $1 AND m.obset_id = $2 AND m.member_num = $3 AND a.site = $4 ORDER BY 1
"""

# The files of a data set begin with its name, in lower case; an association's table is no product.
_DATA_SETS = r"""
WITH named AS (
    SELECT id, path, upper(substring(path from '(?:^|/)([A-Za-z][0-9A-Za-z]{8})_(?!asn\.)[^/]*$')) AS name
    FROM raw_data_file WHERE raw_data_package_id = $1 AND state = 'packaged'
)
SELECT DISTINCT ON (m.association_id, m.member_num) m.association_id, right(m.member_num, 1) AS product, named.id
FROM named
JOIN asn_members m ON m.association_id = left(named.name, 8) || '0' AND m.member_num = substr(named.name, 7)
    AND m.member_status = 'P'
JOIN asn_association a ON a.association_id = m.association_id AND a.site = $2
ORDER BY m.association_id, m.member_num, named.path COLLATE "C"
"""

_OWNER = "SELECT site FROM asn_association WHERE association_id = $1"

_DUE = """
SELECT association_id FROM asn_association
WHERE state = 'open' AND deadline <= now() AND site = $1 ORDER BY deadline, association_id LIMIT 1000
"""


async def association(view: Snapshot, name: str) -> tuple[str, Association] | None:
    """The site of an association, and the association; None if ops-db does not know it."""
    rows = await view.fetch(_ASSOCIATION, name)
    if not rows:
        return None
    [row] = rows
    members = await view.fetch(_MEMBERS, name)
    links: dict[str, set[str]] = {}
    for link in await view.fetch(_LINKS, name):
        links.setdefault(link["product"], set()).add(link["exposure"])
    exposures = [_exposure(dict(one)) for one in members if one["member_status"] != MemberStatus.PRODUCT]
    products = [_product(dict(one)) for one in members if one["member_status"] == MemberStatus.PRODUCT]
    found = Association(
        head=_head(dict(row)),
        exposures={one.key: one for one in exposures},
        products={one.product_id: one for one in products},
        links={product: frozenset(keys) for product, keys in links.items()},
    )
    return row["site"], found


def _head(row: Mapping[str, Any]) -> Head:
    collection = None
    if row["collected_at"] is not None:
        collection = Collection(
            reason=row["collection_reason"],
            at=row["collected_at"],
            actor=row["collected_by"],
            missing=row["missing"],
        )
    problem = None
    if row["problem_code"] is not None:
        problem = Problem(
            code=row["problem_code"], reason=row["problem_reason"], remedy=row["problem_remedy"]
        )
    same = ("association_id", "turn", "revision", "state", "origin", "expected", "deadline", "rule")
    return Head(
        **{name: row[name] for name in same},
        opening=Opening(at=row["opened_at"], actor=row["opened_by"], reason=row["open_reason"]),
        collection=collection,
        problem=problem,
    )


def _exposure(row: Mapping[str, Any]) -> ExposureMember:
    return ExposureMember.model_validate({name: row[name] for name in ExposureMember.model_fields})


def _product(row: Mapping[str, Any]) -> ProductMember:
    return ProductMember(
        product_id=row["member_num"][-1],
        member_type=row["member_type"],
        product_status=row["product_status"],
        dataset=row["raw_data_file_id"],
        made_at=row["made_at"],
    )


async def exposure(opsdb: OpsDbReader, unit: UUID) -> Exposure | None:
    """The exposure that an observation is; None if it is none."""
    row = await opsdb.fetchrow(_EXPOSURE, unit)
    if row is None:
        return None
    claims = tuple(Claim.model_validate(claim) for claim in from_json(row["claims"]))
    return Exposure(name=row["exposure_name"], member_type=row["member_type"], associations=claims)


async def arrivals(view: Snapshot, keys: Iterable[str]) -> list[Arrival]:
    """The observations that are these exposures and are whole, the first one of each exposure first."""
    wanted = sorted(set(keys))
    if not wanted:
        return []
    columns = ([key[:3] for key in wanted], [key[3:5] for key in wanted], [key[5:] for key in wanted])
    return [
        Arrival(
            member=ExposureMember(
                program_id=row["program_id"],
                obset_id=row["obset_id"],
                member_num=row["member_num"],
                member_type=row["member_type"],
            ),
            unit=row["unit"],
            at=row["arrived_at"],
        )
        for row in await view.fetch(_ARRIVALS, *columns)
    ]


async def containing(opsdb: OpsDbReader, key: str, site: str) -> list[str]:
    """The associations of a site that have this exposure."""
    rows = await opsdb.fetch(_CONTAINING, key[:3], key[3:5], key[5:], site)
    return [row["association_id"] for row in rows]


@dataclass(frozen=True, slots=True)
class DataSet:
    """A file that is the data set of a product."""

    association_id: str
    product: str
    file: UUID


async def data_sets(opsdb: OpsDbReader, package: UUID, site: str) -> list[DataSet]:
    """The files of a package that are data sets of products of a site's associations, one of each product."""
    rows = await opsdb.fetch(_DATA_SETS, package, site)
    return [DataSet(row["association_id"], row["product"], row["id"]) for row in rows]


async def owner(opsdb: OpsDbReader, name: str) -> str | None:
    """The site of an association; None if ops-db does not know it."""
    site: str | None = await opsdb.fetchval(_OWNER, name)
    return site


async def due(opsdb: OpsDbReader, site: str) -> Sequence[str]:
    """The open associations of a site whose time is up, the longest overdue first."""
    return [row["association_id"] for row in await opsdb.fetch(_DUE, site)]
