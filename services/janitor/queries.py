"""What the janitor asks ops-db about packages and their copies."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from contracts.copies import CopyRef
from contracts.states import CopyKind, CopyState, FileState, PackageState
from libs.opsdb.projection.ids import copy_namer
from libs.opsdb.reader import OpsDbReader
from services.janitor.facts import ArchiveCopy, BufferCopy, Evidence, History, PackageFacts, SourceCopy
from services.janitor.premises import Premises

_THERE = "copy.state IN ('present', 'deletion_possible', 'deletion_scheduled', 'deletion_in_progress', 'deletion_failed')"

_PACKAGES = """
SELECT package.id, coalesce(package.name, package.id::text) AS name, package.state::text AS state, package.size,
       package.sha256, package.archived_at, package.verified_at, package.instrument,
       package.executed_obs_unit_id AS unit, package.planned_at, package.provenance ->> 'site' AS sealed_in,
       package.data_transfer_package_id IS NOT NULL AS bundled,
       ARRAY(SELECT bundle.id FROM bundled_package member
             JOIN data_transfer_package bundle ON bundle.id = member.data_transfer_package_id
             WHERE member.raw_data_package_id = package.id
               AND coalesce(bundle.state::text, 'pending') NOT IN ('completed', 'failed')
             ORDER BY bundle.id) AS open_bundles,
       ARRAY(SELECT DISTINCT bundle.destination FROM bundled_package member
             JOIN data_transfer_package bundle ON bundle.id = member.data_transfer_package_id
             WHERE member.raw_data_package_id = package.id AND bundle.destination IS NOT NULL
               AND NOT EXISTS (
                 SELECT FROM physical_copy arrived JOIN data_location place ON place.name = arrived.location
                 WHERE arrived.entity_id = package.id AND arrived.kind = 'raw_data_package'
                   AND place.site = bundle.destination AND arrived.verified_at IS NOT NULL)
             ORDER BY bundle.destination) AS unarrived
FROM raw_data_package package WHERE package.id = ANY($1::uuid[])
"""

_ARCHIVES = """
SELECT copy.entity_id AS package, copy.location, copy.path AS key, copy.verified_at,
       copy.scrub_problem_code AS damage,
       CASE WHEN transfer.state = 'completed' THEN transfer.proven_at END AS proven_at
FROM physical_copy copy
LEFT JOIN long_term_archive_transfer transfer
    ON transfer.raw_data_package_id = copy.entity_id AND transfer.location = copy.location
WHERE copy.entity_id = ANY($1::uuid[]) AND copy.location = ANY($2::text[]) AND copy.state = 'present'
ORDER BY copy.location
"""

_FILES = """
SELECT id, location, path, size, mtime_ns, sha256, state::text AS state, raw_data_package_id AS package
FROM raw_data_file
WHERE raw_data_package_id = ANY($1::uuid[]) AND location = ANY($2::text[]) ORDER BY path COLLATE "C"
"""

HISTORY = "copy.created_at, copy.state::text AS copy_state, copy.refusal_code, copy.refused_at"

_COPIES = f"SELECT copy.id, {HISTORY} FROM physical_copy copy WHERE copy.id = ANY($1::uuid[]) AND {_THERE}"  # noqa: S608 - constants only

_BUFFERED = f"""
SELECT copy.entity_id AS package, copy.location, copy.path, copy.size, {HISTORY}
FROM physical_copy copy
WHERE copy.entity_id = ANY($1::uuid[]) AND copy.kind = 'raw_data_package' AND copy.location = ANY($2::text[])
  AND {_THERE}
ORDER BY copy.location
"""  # noqa: S608 - constants only

_ANNOUNCED = """
SELECT DISTINCT coalesce(file.raw_data_package_id, copy.entity_id) AS package FROM physical_copy copy
LEFT JOIN raw_data_file file ON copy.kind = 'raw_data_file' AND file.id = copy.entity_id
WHERE copy.location = $1 AND copy.state = 'deletion_scheduled' AND copy.scheduled_at < $2
ORDER BY 1 LIMIT $3
"""

_OBSERVING = "SELECT EXISTS (SELECT FROM executed_obs_unit WHERE instrument = $1 AND state = 'running')"


class Fetching(Protocol):
    """A view of ops-db, or ops-db itself."""

    async def fetch(self, query: str, *arguments: object) -> list[Any]:
        """The rows of a query."""


@dataclass(frozen=True, slots=True)
class KnownCopy:
    """A copy on a disk of this site, and what was told of it."""

    copy: SourceCopy | BufferCopy
    history: History


@dataclass(frozen=True, slots=True)
class Dossier:
    """A package and every copy of it on this site's disks, as one look at ops-db shows them."""

    package: PackageFacts
    copies: tuple[KnownCopy, ...]


async def dossiers(opsdb: Fetching, premises: Premises, packages: Sequence[UUID]) -> dict[UUID, Dossier]:
    """Everything in ops-db that the fate of some packages' copies depends on, but holds.

    A few queries, however many packages; what ops-db does not know is left out.

    Args:
        opsdb: A snapshot of the site's ops-db.
        premises: The site.
        packages: Their ids.
    """
    facts = await package_facts(opsdb, premises, packages)
    ids = list(facts)
    copies: dict[UUID, list[KnownCopy]] = {package: [] for package in ids}
    files = await opsdb.fetch(_FILES, ids, list(premises.sources))
    # By their derived ids: a join would leave it to the planner's statistics whether 10,000 files take seconds.
    named = {location: copy_namer(CopyKind.RAW_DATA_FILE, location) for location in premises.sources}
    ours = {named[row["location"]](row["id"]): row for row in files}
    there = {row["id"]: row for row in await opsdb.fetch(_COPIES, list(ours))}
    for copy, row in ours.items():
        if copy in there:
            copies[row["package"]].append(source_copy(row, there[copy]))
    for row in await opsdb.fetch(_BUFFERED, ids, list(premises.buffers)):
        copies[row["package"]].append(buffer_copy(row, premises, facts[row["package"]]))
    return {package: Dossier(facts[package].facts, tuple(copies[package])) for package in ids}


@dataclass(frozen=True, slots=True)
class KnownPackage:
    """A package, and the site at which it was sealed."""

    facts: PackageFacts
    sealed_in: str | None


async def package_facts(
    opsdb: Fetching, premises: Premises, packages: Sequence[UUID]
) -> dict[UUID, KnownPackage]:
    """What is known of some packages and of their copies in archives."""
    rows = await opsdb.fetch(_PACKAGES, list(packages))
    archives: dict[UUID, list[ArchiveCopy]] = {}
    for row in await opsdb.fetch(_ARCHIVES, list(packages), list(premises.archives)):
        archives.setdefault(row["package"], []).append(_archive(row, premises))
    return {row["id"]: _package(row, archives.get(row["id"], ())) for row in rows}


def _package(row: Any, archives: Collection[ArchiveCopy]) -> KnownPackage:  # noqa: ANN401  asyncpg's Record is not generic
    columns = dict(row)
    sealed_in = columns.pop("sealed_in")
    columns["state"] = PackageState(columns["state"]) if columns["state"] else None
    for several in ("open_bundles", "unarrived"):
        columns[several] = tuple(columns[several])
    return KnownPackage(PackageFacts(**columns, archives=tuple(archives)), sealed_in)


def _archive(row: Any, premises: Premises) -> ArchiveCopy:  # noqa: ANN401  asyncpg's Record is not generic
    columns = dict(row)
    del columns["package"]
    evidence = Evidence.ASKED if row["location"] in premises.asked else Evidence.RECORDED
    return ArchiveCopy(**columns, site=premises.archives[row["location"]], evidence=evidence)


def source_copy(row: Any, there: Any) -> KnownCopy:  # noqa: ANN401  asyncpg's Record is not generic
    """A file's copy, of a row of the file's columns and one of its history's."""
    ref = CopyRef(
        kind=CopyKind.RAW_DATA_FILE,
        entity_id=row["id"],
        location=row["location"],
        path=row["path"],
        size=row["size"] or 0,
    )
    copy = SourceCopy(
        ref=ref,
        state=FileState(row["state"]) if row["state"] else None,
        size=row["size"],
        mtime_ns=row["mtime_ns"],
        sha256=row["sha256"],
    )
    return KnownCopy(copy, _history(there))


def buffer_copy(row: Any, premises: Premises, package: KnownPackage | None) -> KnownCopy:  # noqa: ANN401  asyncpg's Record is not generic
    """A package's copy, of a row of its columns and its history's."""
    ref = CopyRef(
        kind=CopyKind.RAW_DATA_PACKAGE,
        entity_id=row["package"],
        location=row["location"],
        path=row["path"],
        size=row["size"] or 0,
    )
    copy = BufferCopy(
        ref=ref,
        site=premises.site,
        feeds=premises.feeds,
        departs=premises.sends and package is not None and package.sealed_in == premises.site,
        landed_at=row["created_at"],
    )
    return KnownCopy(copy, _history(row))


def _history(row: Any) -> History:  # noqa: ANN401  asyncpg's Record is not generic
    state = CopyState(row["copy_state"]) if row["copy_state"] else None
    return History(row["created_at"], state, row["refusal_code"], row["refused_at"])


async def announced(opsdb: OpsDbReader, location: str, before: datetime, limit: int) -> list[UUID]:
    """Packages with copies of which it was said before then that they go, and not yet what came of it.

    Args:
        opsdb: The site's ops-db.
        location: A SOURCE or BUFFER location.
        before: Whoever announced it since may be about it still.
        limit: Not more than this.
    """
    return [row["package"] for row in await opsdb.fetch(_ANNOUNCED, location, before, limit)]


async def is_observing(opsdb: OpsDbReader, instrument: str) -> bool:
    """Whether an observation of an instrument runs: it may count on folders that are empty just now."""
    return bool(await opsdb.fetchval(_OBSERVING, instrument))
