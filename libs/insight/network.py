"""What else there is around tasks, assets and cameras of a telescope network."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.skynet.tasks import OpticalImagingTask
from libs.opsdb.reader import OpsDbReader
from libs.skynet.cooling import planned

LONGEST_IDLE_S = 366 * 86_400.0

_ASSETS = "SELECT asset_uid AS id FROM observation_asset_task_info WHERE task_uid = $1"
_TASKS = "SELECT task_uid AS id FROM observation_asset_task_info WHERE asset_uid = $1"
_FILE = "SELECT $1::uuid AS id"
_ROOT = "SELECT uid AS id FROM observation_asset WHERE id = $1"
_OF_CAMERA = """
    SELECT * FROM optical_imaging_task WHERE camera_id = $1
    AND (status IN ('pending', 'active', 'interrupted') OR actual_end_time >= $2) ORDER BY uid
"""


def related_queries(kind: str, row: Mapping[str, Any]) -> dict[str, tuple[str, object]]:
    """The assets that a task made; the task and file of an asset, and the raw one that it descends from.

    Args:
        kind: Its table.
        row: Its row.

    Returns:
        By what they are, a query for their ids, and its argument.
    """
    match kind:
        case "optical_imaging_task":
            return {"asset": (_ASSETS, row["uid"])}
        case "observation_asset":
            return {
                "task": (_TASKS, row["uid"]),
                "root": (_ROOT, row["root_observation_asset_id"]),
                "file": (_FILE, row["file_id"]),
            }
        case _:
            return {}


async def camera(opsdb: OpsDbReader, row: Mapping[str, Any]) -> dict[str, Any]:
    """When tasks need a camera: those that are open, and those that ended within its idle time-out."""
    now = datetime.now(UTC)
    idle = timedelta(seconds=min(row["cooler_idle_timeout_sec"], LONGEST_IDLE_S))
    rows = await opsdb.fetch(_OF_CAMERA, row["id"], now - idle)
    tasks = [
        OpticalImagingTask.model_validate({name: task[name] for name in OpticalImagingTask.model_fields})
        for task in rows
    ]
    return {"now": now, "planned": tuple(need for task in tasks if (need := planned(task)) is not None)}
