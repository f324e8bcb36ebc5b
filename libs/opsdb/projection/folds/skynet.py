"""Assets, tasks and cameras of the telescope network: the telling of the highest turn counts for each row.

The pointers of an asset to its current runs are told by the runs that are completed, and no other events; of these the
run of the highest number counts, whichever comes last.
"""

from collections.abc import Mapping

from contracts.base import Message
from contracts.envelope import Envelope
from contracts.skynet.assets import AssetEvent, AssetRegistered
from contracts.skynet.cameras import CameraRegistered, Device
from contracts.skynet.runs import AssetRun, RunCompleted, RunEvent
from contracts.skynet.states import RunKind
from contracts.skynet.tasks import TaskAssigned, TaskEvent
from libs.opsdb.projection.changes import Change, Values, one
from libs.opsdb.projection.tables import (
    ASSET_RUNS,
    CAMERA,
    CURRENT_RUNS,
    DEVICE,
    OBSERVATION_ASSET,
    OBSERVATION_ASSET_TASK_INFO,
    OBSERVATION_TASK_ASSIGNMENT_HISTORY,
    OPTICAL_IMAGING_TASK,
)

_POINTERS = frozenset(column for current in CURRENT_RUNS.values() for column in current.all)
_OF_DEVICES = frozenset(Device.model_fields)
_RENAMED: Mapping[str, str] = {"number": "run_number", "priority": "run_priority"}


def asset_told(told: Envelope, event: AssetEvent) -> list[Change]:
    """The asset is as the event says, the pointers to its current runs apart."""
    asset = _columns(event.asset, _POINTERS | {"uid"})
    if asset["processing_flags"] is not None:
        asset["processing_flags"] = text_array(event.asset.processing_flags or ())
    columns = {**asset, **_columns(event.care), **_version(told, event.turn)}
    return [one(OBSERVATION_ASSET, (event.asset.uid,), columns)]


def asset_registered(told: Envelope, event: AssetRegistered) -> list[Change]:
    """There is an asset, and perhaps a task that made it."""
    changes = asset_told(told, event)
    if event.task_uid is not None:
        changes.append(one(OBSERVATION_ASSET_TASK_INFO, (event.asset.uid, event.task_uid), {}))
    return changes


def run_told(told: Envelope, event: RunEvent) -> list[Change]:
    """The run and its asset are as the event says."""
    run, table = event.run, ASSET_RUNS[event.run.kind]
    columns = {
        _RENAMED.get(name, name): value
        for name, value in _columns(run, frozenset({"uid", "kind"})).items()
        if _RENAMED.get(name, name) in table.types
    }
    columns |= {
        "asset_uid": event.asset.uid,
        "errors": text_array(run.errors),
        **_version(told, event.turn),
    }
    return [*asset_told(told, event), one(table, (run.uid,), columns)]


def run_completed(told: Envelope, event: RunCompleted) -> list[Change]:
    """What the run made is current, unless a newer run was completed."""
    return [*run_told(told, event), one(OBSERVATION_ASSET, (event.asset.uid,), _current(event.run))]


def task_told(told: Envelope, event: TaskEvent) -> list[Change]:
    """The task is as the event says."""
    columns = {
        **_columns(event.task, frozenset({"uid"})),
        "assignments": event.assignments,
        **_version(told, event.turn),
    }
    return [one(OPTICAL_IMAGING_TASK, (event.task.uid,), columns)]


def task_assigned(told: Envelope, event: TaskAssigned) -> list[Change]:
    """The task was given to a telescope, which stays as history."""
    columns = {**_columns(event.assignment, frozenset({"number"})), **_version(told, event.turn)}
    key = (event.task.uid, event.assignment.number)
    return [*task_told(told, event), one(OBSERVATION_TASK_ASSIGNMENT_HISTORY, key, columns)]


def camera_registered(told: Envelope, event: CameraRegistered) -> list[Change]:
    """The camera is as the event says."""
    camera = _columns(event.camera, frozenset({"uid"}))
    device: Values = {name: value for name, value in camera.items() if name in _OF_DEVICES}
    own: Values = {name: value for name, value in camera.items() if name not in _OF_DEVICES}
    key = (event.camera.uid,)
    return [
        one(DEVICE, key, {**device, "revision": event.revision, "registered_by": told.id}),
        one(CAMERA, key, {**own, "camera_revision": event.revision, "camera_told_by": told.id}),
    ]


def text_array(items: tuple[str, ...]) -> str:
    """An array of texts as PostgreSQL reads it."""
    quoted = (item.replace("\\", "\\\\").replace('"', '\\"') for item in items)
    return "{" + ",".join(f'"{item}"' for item in quoted) + "}"


def _current(run: AssetRun) -> Values:
    number = {CURRENT_RUNS[run.kind].version[0]: run.number}
    match run.kind:
        case RunKind.RENDER:
            return number | {
                "current_render_run_id": run.uid,
                "thumbnail_file_id": run.thumbnail_file_id,
                "preview_file_id": run.preview_file_id,
            }
        case RunKind.PROCESSING:
            return number | {
                "current_processing_run_id": run.uid,
                "current_processing_output_id": run.output_id,
            }
        case RunKind.ANALYSIS:
            return number | {"current_analysis_run_id": run.uid}


def _columns(message: Message, without: frozenset[str] = frozenset()) -> dict[str, object]:
    return {name: value for name, value in message if name not in without}


def _version(told: Envelope, turn: int) -> Values:
    return {"site": told.site, "turn": turn, "told_by": told.id}
