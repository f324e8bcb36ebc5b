"""What ops-db knows about tasks, assets and cameras that are filed."""

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

from contracts.base import Event, Message
from contracts.skynet.assets import AssetCare, AssetEvent, ObservationAsset
from contracts.skynet.cameras import Camera, CameraRegistered
from contracts.skynet.tasks import OpticalImagingTask, TaskEvent
from libs.opsdb.reader import Snapshot
from services.filing.network_world import Declared, Known

M = TypeVar("M", bound=Message)

_TASK = "SELECT * FROM optical_imaging_task WHERE uid = $1"
_ASSET = "SELECT * FROM observation_asset WHERE uid = $1"
_ROOT = "SELECT * FROM observation_asset WHERE id = $1 ORDER BY uid LIMIT 1"
_MADE_BY = "SELECT task_uid FROM observation_asset_task_info WHERE asset_uid = $1 ORDER BY task_uid LIMIT 1"
_CAMERA = """
SELECT d.*, c.*, coalesce(r.time, now()) AS registered_at FROM camera c JOIN device d USING (uid)
LEFT JOIN event_record r ON r.event_id = c.camera_told_by
WHERE uid = $1 LIMIT 1
"""
_FILE = "SELECT declared_size, declared_sha256 FROM raw_data_file WHERE id = $1 AND executed_obs_unit_id IS NOT NULL"
_CAUSED = """
SELECT 1 FROM event_record
WHERE about = $1 AND stream = $2 AND causation_id = $3 AND ($4::text IS NULL OR type = $4) LIMIT 1
"""
_SAID = "SELECT 1 FROM event_record WHERE about = $1 AND stream = $2 AND type = $3 LIMIT 1"

_NUMBERED = {
    table: f"SELECT uid FROM {table} WHERE id = $1 AND uid <> $2 ORDER BY uid LIMIT 1"  # noqa: S608 - names of this module
    for table in ("optical_imaging_task", "observation_asset", "device")
}


async def task(view: Snapshot, uid: UUID) -> Known[TaskEvent] | None:
    """A task; None if ops-db does not know it."""
    rows = await view.fetch(_TASK, uid)
    if not rows:
        return None
    [row] = rows
    last = TaskEvent(
        turn=row["turn"], task=_read(OpticalImagingTask, dict(row)), assignments=row["assignments"]
    )
    return Known(last, row["site"])


async def asset(view: Snapshot, uid: UUID) -> Known[AssetEvent] | None:
    """An asset; None if ops-db does not know it."""
    rows = await view.fetch(_ASSET, uid)
    if not rows:
        return None
    [row] = rows
    last = AssetEvent(
        turn=row["turn"], asset=_read(ObservationAsset, dict(row)), care=_read(AssetCare, dict(row))
    )
    return Known(last, row["site"])


async def asset_numbered(view: Snapshot, number: int) -> ObservationAsset | None:
    """The asset of a number; None if ops-db knows none."""
    rows = await view.fetch(_ROOT, number)
    return _read(ObservationAsset, dict(rows[0])) if rows else None


async def made_by(view: Snapshot, asset_uid: UUID) -> UUID | None:
    """The task that made an asset; None if none did."""
    rows = await view.fetch(_MADE_BY, asset_uid)
    return rows[0]["task_uid"] if rows else None


async def camera(view: Snapshot, uid: UUID) -> CameraRegistered | None:
    """What was registered of a camera last; None if ops-db does not know it."""
    rows = await view.fetch(_CAMERA, uid)
    if not rows:
        return None
    [row] = rows
    return CameraRegistered(
        revision=row["camera_revision"], camera=_read(Camera, dict(row)), registered_at=row["registered_at"]
    )


async def another_numbered(view: Snapshot, table: str, number: int, uid: UUID) -> UUID | None:
    """Another thing of a table that has this number.

    Args:
        view: The ops-db.
        table: ``optical_imaging_task``, ``observation_asset`` or ``device``.
        number: The network's number.
        uid: The thing that is to have it.
    """
    rows = await view.fetch(_NUMBERED[table], number, uid)
    return rows[0]["uid"] if rows else None


async def file(view: Snapshot, file_id: UUID) -> Declared | None:
    """What was declared of a file's bytes; None if ops-db knows no such file of an observation."""
    rows = await view.fetch(_FILE, file_id)
    return Declared(rows[0]["declared_size"], rows[0]["declared_sha256"]) if rows else None


async def caused(
    view: Snapshot, uid: UUID, stream: str, request: UUID, kind: type[Event] | None = None
) -> bool:
    """Whether a request led to something that was said of a thing, of one kind or of any."""
    type_name = None if kind is None else kind.type_name()
    return bool(await view.fetch(_CAUSED, str(uid), stream, str(request), type_name))


async def was_said(view: Snapshot, uid: UUID, stream: str, kind: type[Event]) -> bool:
    """Whether something of a kind was said of a thing."""
    return bool(await view.fetch(_SAID, str(uid), stream, kind.type_name()))


def _read(model: type[M], row: Mapping[str, Any]) -> M:
    return model.model_validate({name: row[name] for name in model.model_fields})
