"""What ops-db knows of an asset: itself, its file, and its render runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.skynet.assets import AssetCare, AssetEvent, ObservationAsset
from contracts.skynet.fields import changed
from contracts.skynet.runs import AssetRun
from contracts.skynet.states import RunKind
from libs.opsdb.reader import OpsDbReader

_ASSET = "SELECT * FROM observation_asset WHERE uid = $1 AND site = $2"

_FILE = """
SELECT location, path, coalesce(declared_size, size) AS size, coalesce(declared_sha256, sha256) AS sha256
FROM raw_data_file WHERE id = $1 AND location IS NOT NULL
"""

_LATEST = "SELECT * FROM observation_asset_render_run WHERE asset_uid = $1 ORDER BY run_number DESC LIMIT 1"

_RUN = "SELECT * FROM observation_asset_render_run WHERE uid = $1"

_LOST = """
SELECT uid FROM observation_asset
WHERE site = $1 AND is_remote AND is_transferrable AND transfer_state IN ('pending', 'active')
  AND lease_until <= $2
ORDER BY lease_until LIMIT 1000
"""

_TO_RENDER = """
SELECT uid FROM observation_asset
WHERE render_dirty_at IS NOT NULL AND next_eligible_render_at <= $2 AND site = $1 AND NOT is_remote
  AND render_failures < $3
ORDER BY next_eligible_render_at LIMIT $4
"""

_RENAMED: Mapping[str, str] = {"number": "run_number", "priority": "run_priority"}


@dataclass(frozen=True, slots=True)
class KnownFile:
    """The file of an asset.

    Attributes:
        location: The disk location that it was filed in; `path` is relative to its root.
        size: Bytes, as declared, else as found by who read it first; None if nobody did. So is `sha256` its hex digest.
    """

    location: str
    path: str
    size: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class KnownAsset:
    """An asset, as it was told last.

    Attributes:
        told: Itself, with the highest turn of everything that was said of it.
        file: Its file; None as long as it is not filed.
        latest: Its render run of the highest number.
        current: The render run that its pictures are of.
    """

    told: AssetEvent
    file: KnownFile | None
    latest: AssetRun | None
    current: AssetRun | None

    @property
    def asset(self) -> ObservationAsset:
        """Itself."""
        return self.told.asset

    @property
    def care(self) -> AssetCare:
        """What deciding about it takes besides."""
        return self.told.care


async def known_asset(opsdb: OpsDbReader, uid: UUID, site: str) -> KnownAsset | None:
    """An asset that was registered at a site; None if ops-db has none.

    A mark and a run that were said at once may have the same turn: then the row of the asset is as one of the two says.
    Runs have rows of their own, by which they are counted.

    Raises:
        Retriable: ``opsdb_unavailable``.
    """
    row = await opsdb.fetchrow(_ASSET, uid, site)
    if row is None:
        return None
    latest_row = await opsdb.fetchrow(_LATEST, uid)
    latest = None if latest_row is None else _run(dict(latest_row))
    asset = ObservationAsset.model_validate({name: row[name] for name in ObservationAsset.model_fields})
    care = AssetCare.model_validate({name: row[name] for name in AssetCare.model_fields})
    turn = int(row["turn"])
    if latest is not None and latest_row is not None:
        turn = max(turn, int(latest_row["turn"]))
        care = changed(care, {"render_runs": max(care.render_runs, latest.number)})
    current = latest
    if asset.current_render_run_id != (latest.uid if latest else None):
        current_row = await opsdb.fetchrow(_RUN, asset.current_render_run_id)
        current = None if current_row is None else _run(dict(current_row))
    told = AssetEvent(turn=turn, asset=asset, care=care)
    return KnownAsset(told, await _file(opsdb, asset.file_id), latest, current)


async def lost_transfers(opsdb: OpsDbReader, site: str, now: datetime) -> list[UUID]:
    """Assets of a site whose transferrer has let its lease expire."""
    return [row["uid"] for row in await opsdb.fetch(_LOST, site, now)]


async def to_render(
    opsdb: OpsDbReader, site: str, now: datetime, *, failures: int, most: int = 100
) -> list[UUID]:
    """Assets of a site whose pictures are to be made anew now, those that wait longest first.

    Args:
        opsdb: The site's.
        site: The site.
        now: The time.
        failures: Those that failed so often are left.
        most: No more than so many.
    """
    return [row["uid"] for row in await opsdb.fetch(_TO_RENDER, site, now, failures, most)]


async def _file(opsdb: OpsDbReader, file: UUID) -> KnownFile | None:
    row = await opsdb.fetchrow(_FILE, file)
    return None if row is None else KnownFile(row["location"], row["path"], row["size"], row["sha256"])


def _run(row: Mapping[str, object]) -> AssetRun:
    fields = [name for name in AssetRun.model_fields if name not in ("kind", "output_id")]
    values = {name: row[_RENAMED.get(name, name)] for name in fields}
    return AssetRun.model_validate({**values, "kind": RunKind.RENDER})
