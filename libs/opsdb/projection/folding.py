"""From an event to what it changes: the table of all folds.

The first event with an id counts. Later ones with the same id are repeats, which a service sends when it was
killed between sending and acknowledging, however much has happened since: they are never folded. What may
truly happen again has an identity that says so (`after` in FilesScanned and its like).
"""

from collections.abc import Callable
from typing import Any

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
from contracts.base import Event
from contracts.bundles import BundleForwarded, BundleReceived, BundleSealed
from contracts.catalog.applied import CatalogApplied
from contracts.copies import (
    CopyDeleted,
    CopyRepaired,
    CopyScrubbed,
    CopyUnrepairable,
    DeletionRefused,
    DeletionScheduled,
)
from contracts.deployment import DeploymentApplied
from contracts.envelope import Envelope
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
from contracts.holds import HoldPlaced, HoldReleased
from contracts.letters import LetterBuried, LetterDropped, LetterRetried, LetterSettled
from contracts.observations import FilesFiled, ObservationFinished, ObservationStarted
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
from contracts.staging import StagingCompleted, StagingFailed, StagingReleased, StagingRequested
from contracts.tokens import TokenIssued, TokenRevoked, TokenUsed
from contracts.transfers import TransferCompleted, TransferFailed, TransferStarted
from libs.opsdb.projection.changes import Change
from libs.opsdb.projection.folds import (
    associations,
    catalog,
    copies,
    deployment,
    files,
    holds,
    letters,
    observations,
    packages,
    replays,
    skynet,
    staging,
    tokens,
    transfers,
)


def _recorded_only(_told: Envelope, _event: Event) -> list[Change]:
    return []


Fold = Callable[[Envelope, Any], list[Change]]

FOLDS: dict[type[Event], Fold] = {
    DeploymentApplied: deployment.deployment_applied,
    CatalogApplied: catalog.catalog_applied,
    TokenIssued: tokens.token_issued,
    TokenRevoked: tokens.token_revoked,
    TokenUsed: tokens.token_used,
    ObservationStarted: observations.observation_started,
    FilesFiled: observations.files_filed,
    ObservationFinished: observations.observation_finished,
    FilesScanned: files.files_scanned,
    FilesMissing: files.files_missing,
    FilesUnfiled: files.files_unfiled,
    FilesRefused: files.files_refused,
    FilesAssigned: files.files_assigned,
    FilesPackaged: files.files_packaged,
    AssetRendered: files.asset_rendered,
    RenderFailed: files.render_failed,
    PackagePlanned: packages.package_planned,
    PackageAbandoned: packages.package_abandoned,
    PackageSealed: packages.package_sealed,
    PackageVerified: packages.package_verified,
    PackageCorrupted: packages.package_corrupted,
    PackageFailed: packages.package_failed,
    PackageArchived: packages.package_archived,
    BundleSealed: transfers.bundle_sealed,
    BundleForwarded: _recorded_only,
    BundleReceived: transfers.bundle_received,
    TransferStarted: transfers.transfer_started,
    TransferCompleted: transfers.transfer_completed,
    TransferFailed: transfers.transfer_failed,
    StagingRequested: staging.staging_requested,
    PackageStaged: staging.package_staged,
    StagingCompleted: staging.staging_completed,
    StagingFailed: staging.staging_failed,
    StagingReleased: staging.staging_released,
    ResultsFiled: _recorded_only,
    DeletionScheduled: copies.deletion_scheduled,
    CopyDeleted: copies.copy_deleted,
    DeletionRefused: copies.deletion_refused,
    CopyScrubbed: copies.copy_scrubbed,
    CopyRepaired: copies.copy_repaired,
    CopyUnrepairable: copies.copy_unrepairable,
    HoldPlaced: holds.hold_placed,
    HoldReleased: holds.hold_released,
    LetterBuried: letters.letter_buried,
    LetterRetried: letters.letter_retried,
    LetterSettled: letters.letter_settled,
    LetterDropped: letters.letter_dropped,
    ReplayRequested: replays.replay_requested,
    ExposureNamed: associations.exposure_named,
    AssociationPlanned: associations.association_told,
    MembersAdded: associations.association_told,
    MembersArrived: associations.association_told,
    AssociationCollected: associations.association_told,
    AssociationFailed: associations.association_told,
    AssociationReopened: associations.association_told,
    OrphanNoted: associations.association_told,
    ProductMade: associations.association_told,
    CameraRegistered: skynet.camera_registered,
    TaskFiled: skynet.task_told,
    TaskAssigned: skynet.task_assigned,
    TaskStarted: skynet.task_told,
    TaskProgressed: skynet.task_told,
    TaskCompleted: skynet.task_told,
    TaskFailed: skynet.task_told,
    TaskExpired: skynet.task_told,
    TaskInterrupted: skynet.task_told,
    TaskResumed: skynet.task_told,
    TaskCanceled: skynet.task_told,
    TaskAssetsChanged: skynet.task_told,
    AssetRegistered: skynet.asset_registered,
    RenderMarked: skynet.asset_told,
    AssetTransferRequested: skynet.asset_told,
    AssetTransferStarted: skynet.asset_told,
    AssetTransferProgressed: skynet.asset_told,
    AssetTransferCompleted: skynet.asset_told,
    AssetTransferFailed: skynet.asset_told,
    AssetTransferCanceled: skynet.asset_told,
    RunQueued: skynet.run_told,
    RunStarted: skynet.run_told,
    RunProgressed: skynet.run_told,
    RunReturned: skynet.run_told,
    RunCompleted: skynet.run_completed,
    RunFailed: skynet.run_told,
    RunCanceled: skynet.run_told,
}
"""What each event does, the first time."""


def fold(told: Envelope, event: Event) -> list[Change]:
    """What an event changes, in order."""
    return FOLDS[type(event)](told, event)
