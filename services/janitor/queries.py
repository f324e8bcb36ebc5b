"""What the janitor asks ops-db about packages and their copies."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.copies import CopyRef, copy_id
from contracts.states import CopyKind, FileState, PackageState
from libs.opsdb.reader import OpsDbReader
from services.janitor.facts import ArchiveCopy, BufferCopy, Evidence, PackageFacts, SourceCopy

_THERE = "copy.state IN ('present', 'deletion_possible', 'deletion_scheduled', 'deletion_in_progress', 'deletion_failed')"

_PACKAGE = """
SELECT package.id, coalesce(package.name, package.id::text) AS name, package.state::text AS state, package.size,
       package.sha256, package.archived_at, package.verified_at, package.instrument,
       ARRAY(SELECT bundle.id FROM bundled_package member
             JOIN data_transfer_package bundle ON bundle.id = member.data_transfer_package_id
             WHERE member.raw_data_package_id = package.id
               AND coalesce(bundle.state::text, 'pending') NOT IN ('completed', 'failed')
             ORDER BY bundle.id) AS open_bundles
FROM raw_data_package package WHERE package.id = $1
"""

_ARCHIVES = """
SELECT copy.location, copy.path AS key, copy.scrub_problem_code AS damage,
       CASE WHEN transfer.state = 'completed' THEN transfer.proven_at END AS proven_at
FROM physical_copy copy
LEFT JOIN long_term_archive_transfer transfer
    ON transfer.raw_data_package_id = copy.entity_id AND transfer.location = copy.location
WHERE copy.entity_id = $1 AND copy.location = ANY($2::text[]) AND copy.state = 'present'
ORDER BY copy.location
"""

_FILES = """
SELECT id, location, path, size, mtime_ns, sha256, state::text AS state FROM raw_data_file
WHERE raw_data_package_id = $1 AND location = ANY($2::text[]) ORDER BY path COLLATE "C"
"""

_COPIES = f"SELECT copy.id, copy.created_at, copy.refusal_code FROM physical_copy copy WHERE copy.id = ANY($1::uuid[]) AND {_THERE}"  # noqa: S608 - constants only

_BUFFERED = f"""
SELECT copy.location, copy.path, copy.size, copy.created_at, copy.refusal_code
FROM physical_copy copy
WHERE copy.entity_id = $1 AND copy.kind = 'raw_data_package' AND copy.location = ANY($2::text[]) AND {_THERE}
ORDER BY copy.location
"""  # noqa: S608 - constants only

_DUE = f"""
SELECT package.id FROM raw_data_package package
WHERE package.state = 'archived' AND package.archived_at <= $2 AND NOT package.id = ANY($3::uuid[])
  AND package.id IN (
    SELECT copy.entity_id FROM physical_copy copy
    WHERE copy.kind = 'raw_data_package' AND copy.location = $1 AND {_THERE}
    UNION
    SELECT file.raw_data_package_id FROM physical_copy copy JOIN raw_data_file file ON file.id = copy.entity_id
    WHERE copy.kind = 'raw_data_file' AND copy.location = $1 AND file.location = $1 AND {_THERE})
ORDER BY package.archived_at, package.id LIMIT $4
"""  # noqa: S608 - constants only

_OBSERVING = "SELECT EXISTS (SELECT FROM executed_obs_unit WHERE instrument = $1 AND state = 'running')"


@dataclass(frozen=True, slots=True)
class KnownCopy:
    """A copy on a disk of this site.

    Attributes:
        since: When it became known.
        refusal: The code with which its deletion was refused last; None if it was not.
    """

    copy: SourceCopy | BufferCopy
    since: datetime | None
    refusal: str | None


@dataclass(frozen=True, slots=True)
class Dossier:
    """A package and every copy of it on this site's disks, as one look at ops-db shows them."""

    package: PackageFacts
    copies: tuple[KnownCopy, ...]


async def dossier(
    opsdb: OpsDbReader,
    stream: str,
    package_id: UUID,
    *,
    sources: Collection[str],
    buffers: Collection[str],
    site: str,
    feeds: tuple[str, ...],
    archives: Mapping[str, str],
    asked: Collection[str],
) -> Dossier | None:
    """Everything that the fate of a package's copies depends on; None if ops-db does not know it.

    Args:
        opsdb: The site's ops-db.
        stream: The site's own stream.
        package_id: The package.
        sources: The site's SOURCE locations.
        buffers: The site's BUFFER locations.
        site: The site.
        feeds: The site's active archives.
        archives: The site of each archive location of the deployment.
        asked: The archives that can be asked from here.
    """
    async with opsdb.snapshot(stream) as view:
        found = await view.fetch(_PACKAGE, package_id)
        if not found:
            return None
        stored = await view.fetch(_ARCHIVES, package_id, list(archives))
        files = {_copy_of(row): row for row in await view.fetch(_FILES, package_id, list(sources))}
        # By their derived ids: a join would leave it to the planner's statistics whether 10,000 files take seconds.
        there = {row["id"]: row for row in await view.fetch(_COPIES, list(files))}
        buffered = await view.fetch(_BUFFERED, package_id, list(buffers))
    row = dict(found[0])
    package = PackageFacts(
        **{
            **row,
            "state": PackageState(row["state"]) if row["state"] else None,
            "open_bundles": tuple(row["open_bundles"]),
        },
        archives=tuple(_archive(one, archives, asked) for one in stored),
    )
    sourced = [_source(row, there[copy]) for copy, row in files.items() if copy in there]
    copies = [*sourced, *(_buffer(package_id, one, site, feeds) for one in buffered)]
    return Dossier(package, tuple(copies))


def _archive(row: Any, archives: Mapping[str, str], asked: Collection[str]) -> ArchiveCopy:  # noqa: ANN401  asyncpg's Record is not generic
    evidence = Evidence.ASKED if row["location"] in asked else Evidence.RECORDED
    return ArchiveCopy(**dict(row), site=archives[row["location"]], evidence=evidence)


def _copy_of(row: Any) -> UUID:  # noqa: ANN401  asyncpg's Record is not generic
    return copy_id(CopyKind.RAW_DATA_FILE, row["id"], row["location"])


def _source(row: Any, there: Any) -> KnownCopy:  # noqa: ANN401  asyncpg's Record is not generic
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
    return KnownCopy(copy, there["created_at"], there["refusal_code"])


def _buffer(package_id: UUID, row: Any, site: str, feeds: tuple[str, ...]) -> KnownCopy:  # noqa: ANN401  asyncpg's Record is not generic
    ref = CopyRef(
        kind=CopyKind.RAW_DATA_PACKAGE,
        entity_id=package_id,
        location=row["location"],
        path=row["path"],
        size=row["size"] or 0,
    )
    return KnownCopy(BufferCopy(ref=ref, site=site, feeds=feeds), row["created_at"], row["refusal_code"])


async def due(
    opsdb: OpsDbReader, location: str, archived_before: datetime, but: Collection[UUID], limit: int
) -> list[UUID]:
    """Archived packages that still have something at a location, those archived first first.

    Args:
        opsdb: The site's ops-db.
        location: A SOURCE or BUFFER location.
        archived_before: Only those that were archived by then.
        but: Not these.
        limit: Not more than this.
    """
    rows = await opsdb.fetch(_DUE, location, archived_before, list(but), limit)
    return [row["id"] for row in rows]


async def is_observing(opsdb: OpsDbReader, instrument: str) -> bool:
    """Whether an observation of an instrument runs: it may count on folders that are empty just now."""
    return bool(await opsdb.fetchval(_OBSERVING, instrument))
