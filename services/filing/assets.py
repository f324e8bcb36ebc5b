"""Whether an asset may be filed: one pure decision on it, its transfer, and the task that made it."""

from collections.abc import Iterator
from datetime import datetime

from contracts.base import Event
from contracts.problems import Problem
from contracts.skynet.assets import AssetEvent, ObservationAsset
from contracts.skynet.requests import DeclaredAsset, EntityAccepted, FileAsset
from contracts.skynet.states import TransferState
from libs.errors import UserError
from libs.skynet import tasks, transfers
from libs.skynet.lineage import check_root
from libs.skynet.rendering import Debounce
from libs.skynet.tasks import AssetChange
from services.filing.decisions import Accept, Decision, Refuse
from services.filing.network_world import AssetWorld, Known, elsewhere, number_taken
from services.filing.tasking import unknown_task


def decide_asset(request: FileAsset, world: AssetWorld, debounce: Debounce, now: datetime) -> Decision:
    """Register an asset, request its transfer and tell its task; what was stored of these before is not said again.

    Args:
        request: What is asked.
        world: What is known.
        debounce: How changes of its pictures are gathered.
        now: The site's clock: its pictures are made there.
    """
    asset = _asset(request.asset)
    if world.known is not None and (problem := _differs(request, world, world.known)):
        return Refuse((problem,))
    if world.known is None and (problems := tuple(_problems(request, asset, world))):
        return Refuse(problems)
    events: list[Event] = []
    if world.known is None:
        last: AssetEvent = transfers.register(asset, debounce, now).model_copy(
            update={"task_uid": request.task_uid}
        )
        events.append(last)
    else:
        last = world.known.last
    if not world.requested and (wanted := transfers.first_request(last)):
        events.append(last := wanted)
    if world.task is not None and world.task.site == world.site and not world.noted:
        noted = tasks.note_assets(world.task.last, AssetChange.ADDED, now)
        events += () if noted is None else (noted,)
    return Accept(tuple(events), EntityAccepted(uid=asset.uid, turn=last.turn, repeated=not events))


def _asset(declared: DeclaredAsset) -> ObservationAsset:
    """Bytes that are elsewhere wait to be fetched; an asset that is made here is complete."""
    remote = declared.remote_file_path is not None
    return ObservationAsset(
        **dict(declared),
        is_remote=remote,
        transfer_state=TransferState.PENDING if remote else TransferState.COMPLETED,
    )


def _differs(request: FileAsset, world: AssetWorld, known: Known[AssetEvent]) -> Problem | None:
    if known.site != world.site:
        return elsewhere("asset", request.asset.uid, known.site, world.site)
    names = [name for name, value in request.asset if value != getattr(known.last.asset, name)]
    if request.task_uid != world.made_by:
        names.append("task_uid")
    if not names:
        return None
    return Problem(
        code="asset_differs",
        reason=f"asset {request.asset.uid} was filed before with another {', '.join(names)}",
        remedy="Repeat the filing as it was sent first, or give the new asset a uid of its own.",
    )


def _problems(request: FileAsset, asset: ObservationAsset, world: AssetWorld) -> Iterator[Problem]:
    if world.number_of is not None:
        yield number_taken("asset", asset.id, world.number_of)
    try:
        check_root(asset, world.root)
    except UserError as error:
        yield error.problem
    yield from _task_problems(request, world)
    yield from _file_problems(asset, world)


def _task_problems(request: FileAsset, world: AssetWorld) -> Iterator[Problem]:
    if request.task_uid is None:
        return
    if world.task is None:
        yield unknown_task(str(request.task_uid))
    elif world.task.site != world.site:
        yield elsewhere("task", request.task_uid, world.task.site, world.site)
    elif world.task.last.task.observation_id != request.asset.observation_id:
        yield Problem(
            code="task_of_another_observation",
            reason=f"asset {request.asset.uid} is of observation {request.asset.observation_id}, "
            f"its task {request.task_uid} of {world.task.last.task.observation_id}",
            remedy="Name the task that made it, or its right observation_id.",
        )


def _file_problems(asset: ObservationAsset, world: AssetWorld) -> Iterator[Problem]:
    """Bytes are fetched only if it can be told that they are the right ones."""
    if asset.remote_file_path is not None and ".." in asset.remote_file_path.split("/"):
        yield Problem(
            code="path_outside",
            reason=f"remote_file_path {asset.remote_file_path!r} climbs with '..'",
            remedy="Name the file by a path without '..'.",
        )
    if not transfers.is_wanted(asset):
        return
    if world.file is None:
        yield Problem(
            code="file_unknown",
            reason=f"no file {asset.file_id} was filed here",
            remedy="File it in its observation first, with size and sha256; its answer has the file_id to use.",
        )
    elif world.file.size is None or world.file.sha256 is None:
        yield Problem(
            code="file_undeclared",
            reason=f"file {asset.file_id} was filed without its size or its sha256: "
            "a transfer is completed only by bytes that match both",
            remedy="File the file again with size and sha256, then the asset.",
        )
