"""Every event there is, and how an old version becomes the current one.

A published version never changes. A new version of an event is a new class with a higher `version`; the old
class's name moves to `UPCASTERS`, as a function from the old body to the new one, and its golden file in
``tests/golden`` stays for ever.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from contracts.associations import (
    AssociationCollected,
    AssociationFailed,
    AssociationPlanned,
    AssociationReopened,
    ExposureNamed,
    MembersAdded,
    MembersArrived,
    OrphanNoted,
    ProductMade,
)
from contracts.base import Event, Message
from contracts.bundles import BundleForwarded, BundleReceived, BundleSealed
from contracts.catalog.applied import CatalogApplied
from contracts.copies import (
    CopyDeleted,
    CopyRepaired,
    CopyScrubbed,
    CopyUnrepairable,
    DeletionRefused,
    DeletionScheduled,
    refused_v1_to_v2,
)
from contracts.deployment import DeploymentApplied
from contracts.files import (
    AssetRendered,
    FilesAssigned,
    FilesMissing,
    FilesPackaged,
    FilesRefused,
    FilesScanned,
    FilesUnfiled,
    RenderFailed,
    ResultsFiled,
)
from contracts.holds import HoldPlaced, HoldReleased, PlaceHold, ReleaseHold
from contracts.letters import LetterBuried, LetterDropped, LetterRetried, LetterSettled
from contracts.observations import (
    FileFiles,
    FilesFiled,
    FilingAccepted,
    FilingRefused,
    FinishObservation,
    ObservationFinished,
    ObservationStarted,
    StartObservation,
)
from contracts.packages import (
    PackageAbandoned,
    PackageArchived,
    PackageCorrupted,
    PackageFailed,
    PackagePlanned,
    PackageSealed,
    PackageStaged,
    PackageVerified,
)
from contracts.problems import Problem
from contracts.replays import ReplayRequested
from contracts.skynet.assets import (
    AssetRegistered,
    AssetTransferCanceled,
    AssetTransferCompleted,
    AssetTransferFailed,
    AssetTransferProgressed,
    AssetTransferRequested,
    AssetTransferStarted,
    RenderMarked,
)
from contracts.skynet.cameras import CameraRegistered
from contracts.skynet.requests import EntityAccepted, FileAsset, FileCamera, FileTask, ReportTask
from contracts.skynet.runs import (
    RunCanceled,
    RunCompleted,
    RunFailed,
    RunProgressed,
    RunQueued,
    RunReturned,
    RunStarted,
)
from contracts.skynet.tasks import (
    TaskAssetsChanged,
    TaskAssigned,
    TaskCanceled,
    TaskCompleted,
    TaskExpired,
    TaskFailed,
    TaskFiled,
    TaskInterrupted,
    TaskProgressed,
    TaskResumed,
    TaskStarted,
)
from contracts.staging import (
    RequestStaging,
    StagingCompleted,
    StagingFailed,
    StagingReleased,
    StagingRequested,
)
from contracts.tokens import TokenIssued, TokenRevoked, TokenUsed
from contracts.transfers import TransferCompleted, TransferFailed, TransferStarted

EVENTS: tuple[type[Event], ...] = (
    DeploymentApplied,
    CatalogApplied,
    TokenIssued,
    TokenRevoked,
    TokenUsed,
    ObservationStarted,
    FilesFiled,
    ObservationFinished,
    FilesScanned,
    FilesMissing,
    FilesUnfiled,
    FilesRefused,
    FilesAssigned,
    PackagePlanned,
    PackageAbandoned,
    FilesPackaged,
    PackageSealed,
    BundleSealed,
    BundleForwarded,
    TransferStarted,
    TransferCompleted,
    TransferFailed,
    BundleReceived,
    PackageVerified,
    PackageCorrupted,
    PackageFailed,
    PackageArchived,
    StagingRequested,
    PackageStaged,
    StagingCompleted,
    StagingFailed,
    StagingReleased,
    ResultsFiled,
    DeletionScheduled,
    CopyDeleted,
    DeletionRefused,
    CopyScrubbed,
    CopyRepaired,
    CopyUnrepairable,
    HoldPlaced,
    HoldReleased,
    LetterBuried,
    LetterRetried,
    LetterSettled,
    LetterDropped,
    ReplayRequested,
    AssetRendered,
    RenderFailed,
    ExposureNamed,
    AssociationPlanned,
    MembersAdded,
    MembersArrived,
    AssociationCollected,
    AssociationFailed,
    AssociationReopened,
    OrphanNoted,
    ProductMade,
    CameraRegistered,
    TaskFiled,
    TaskAssigned,
    TaskStarted,
    TaskProgressed,
    TaskCompleted,
    TaskFailed,
    TaskExpired,
    TaskInterrupted,
    TaskResumed,
    TaskCanceled,
    TaskAssetsChanged,
    AssetRegistered,
    RenderMarked,
    AssetTransferRequested,
    AssetTransferStarted,
    AssetTransferProgressed,
    AssetTransferCompleted,
    AssetTransferFailed,
    AssetTransferCanceled,
    RunQueued,
    RunStarted,
    RunProgressed,
    RunReturned,
    RunCompleted,
    RunFailed,
    RunCanceled,
)

REQUESTS: dict[str, type[Message]] = {
    "filing.start": StartObservation,
    "filing.files": FileFiles,
    "filing.finish": FinishObservation,
    "filing.accepted": FilingAccepted,
    "filing.refused": FilingRefused,
    "filing.task": FileTask,
    "filing.task_step": ReportTask,
    "filing.asset": FileAsset,
    "filing.camera": FileCamera,
    "filing.entity_accepted": EntityAccepted,
    "staging.request": RequestStaging,
    "hold.place": PlaceHold,
    "hold.release": ReleaseHold,
}
"""What clients send and are answered, by the name of its schema. Such a model grows by fields that may be left out."""

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: dict[str, Upcaster] = {"chasqui.copy.deletion_refused.v1": refused_v1_to_v2}
"""From a type name (``chasqui.package.sealed.v1``) to the function that makes the next version's body."""


class UnreadableEvent(ValueError):
    """A message that is none of our events; `problem` says why."""

    def __init__(self, code: str, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.problem = Problem(code=code, reason=reason, remedy=remedy)


class Registry:
    """Reads the body of any published version into the current model.

    Args:
        events: The current model of each event.
        upcasters: By the type name of the older version, the step to the next one.
    """

    def __init__(self, events: tuple[type[Event], ...], upcasters: Mapping[str, Upcaster]) -> None:
        self._current = {_family(event.type_name()): event for event in events}
        self._upcasters = dict(upcasters)

    def read(self, type_name: str, body: bytes) -> Event:
        """Parse a body.

        Raises:
            UnreadableEvent: ``unknown_type``, ``unknown_version``, ``not_json`` or ``invalid_event``.
        """
        current = self._current.get(_family(type_name))
        if current is None:
            raise UnreadableEvent(
                "unknown_type",
                f"no event is called {type_name!r}",
                "Upgrade this service if a newer one sends it; otherwise find out who publishes it.",
            )
        if type_name == current.type_name():
            return _validated(current, body)
        return self._upcast(current, type_name, body)

    def _upcast(self, current: type[Event], type_name: str, body: bytes) -> Event:
        data = _json_object(body)
        while type_name != current.type_name():
            step = self._upcasters.get(type_name)
            if step is None:
                raise UnreadableEvent(
                    "unknown_version",
                    f"{type_name} cannot be read: this release knows {current.type_name()}",
                    "Upgrade this service to a release that knows the version.",
                )
            data = _stepped(step, data, type_name)
            type_name = _next_version(type_name)
        return _validated(current, json.dumps(data).encode())


def _stepped(step: Upcaster, data: dict[str, Any], type_name: str) -> dict[str, Any]:
    try:
        return step(data)
    except (LookupError, TypeError, ValueError) as error:
        raise UnreadableEvent(
            "invalid_event",
            f"{type_name} is not as it was published: {type(error).__name__}: {error}",
            "Send the event as the JSON Schema of its version says.",
        ) from error


def _family(type_name: str) -> str:
    return type_name.rpartition(".v")[0]


def _next_version(type_name: str) -> str:
    family, _, version = type_name.rpartition(".v")
    return f"{family}.v{int(version) + 1}"


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        data = from_json(body)
    except ValueError as error:
        raise UnreadableEvent(
            "not_json", f"the body is not JSON: {error}", "Send the event's model as JSON."
        ) from error
    if not isinstance(data, dict):
        raise UnreadableEvent("not_json", "the body is not a JSON object", "Send the event's model as JSON.")
    return data


def _validated(model: type[Event], body: bytes) -> Event:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        code = "not_json" if first["type"] == "json_invalid" else "invalid_event"
        where = ".".join(map(str, first["loc"])) or "the body"
        raise UnreadableEvent(
            code, f"{model.__name__}: {where}: {first['msg']}", "Send the event as its JSON Schema says."
        ) from error


REGISTRY = Registry(EVENTS, UPCASTERS)
