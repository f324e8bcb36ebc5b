"""Observation assets: files of an observation, wherever their bytes are, with their transfer, pictures and lineage."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from contracts.base import Event, Message, Utc
from contracts.skynet.fields import Count, Fraction, Id, Text250, Turn
from contracts.skynet.states import AssetRole, TransferState

Flag = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class ObservationAsset(Message):
    """An asset, with the fields of the network's own schema.

    Attributes:
        id: The network's number of it; `uid` is what it is known by everywhere.
        file_id: Its file, which is registered before its bytes are here.
        role: What it contains, if that is standardised.
        processing_flags: What was done to it.
        root_observation_asset_id: The raw asset that it descends from; None for a raw one.
        current_processing_run_id: The newest run that was completed; likewise those of analysis and render.
        current_processing_output_id: What that run made.
        thumbnail_file_id: Of the current render run, as `preview_file_id` is.
        render_dirty_at: Since when its pictures are out of date.
        next_eligible_render_at: From when on they may be made anew.
        is_remote: Its bytes are not here.
        is_transferrable: Its bytes may be fetched.
        transfer_progress: Of the last attempt; None if the size is unknown.
        transfer_error: Why the last attempt failed.
        last_transfer_attempt: When it began.
        remote_file_path: Where its bytes are, in the words of who has them.
    """

    id: Id
    uid: UUID
    observation_id: Id
    instrument_id: Id
    file_id: UUID
    role: AssetRole | None = None
    processing_flags: tuple[Flag, ...] | None = Field(default=None, max_length=100)
    root_observation_asset_id: Id | None = None
    current_processing_run_id: UUID | None = None
    current_analysis_run_id: UUID | None = None
    current_processing_output_id: UUID | None = None
    current_render_run_id: UUID | None = None
    thumbnail_file_id: UUID | None = None
    preview_file_id: UUID | None = None
    render_dirty_at: Utc | None = None
    next_eligible_render_at: Utc | None = None
    is_remote: bool
    is_transferrable: bool
    transfer_state: TransferState
    transfer_progress: Fraction | None = None
    transfer_error: Text250 | None = None
    last_transfer_attempt: Utc | None = None
    remote_file_path: Text250 | None = None

    @model_validator(mode="after")
    def _bytes_are_somewhere(self) -> "ObservationAsset":
        if self.is_remote == (self.transfer_state is TransferState.COMPLETED):
            raise ValueError("an asset is remote until, and only until, its transfer is completed")
        if self.is_remote and self.is_transferrable and not self.remote_file_path:
            raise ValueError("a remote asset that may be fetched has a remote_file_path")
        if self.transfer_error is not None and self.transfer_state is not TransferState.FAILED:
            raise ValueError("only a failed transfer has a transfer_error")
        return self

    @model_validator(mode="after")
    def _marked_or_not(self) -> "ObservationAsset":
        if (self.render_dirty_at is None) != (self.next_eligible_render_at is None):
            raise ValueError("render_dirty_at and next_eligible_render_at are told together")
        return self

    @model_validator(mode="after")
    def _no_root_of_itself(self) -> "ObservationAsset":
        if self.root_observation_asset_id == self.id:
            raise ValueError("an asset is no root of itself")
        return self


class AssetCare(Message):
    """What deciding about an asset takes beside its fields.

    Attributes:
        transfer_attempts: How often its bytes were begun to be fetched.
        transferrer: Who has leased its transfer until `lease_until`; None while nobody has.
        first_dirty_at: When its pictures first were out of date since they were made.
        render_failures: How many renders failed since one was completed.
        render_runs: How many there were; so are `processing_runs` and `analysis_runs`.
    """

    transfer_attempts: Count = 0
    transferrer: Text250 | None = None
    lease_until: Utc | None = None
    first_dirty_at: Utc | None = None
    render_failures: Count = 0
    render_runs: Count = 0
    processing_runs: Count = 0
    analysis_runs: Count = 0

    @model_validator(mode="after")
    def _leased_or_not(self) -> "AssetCare":
        if (self.transferrer is None) != (self.lease_until is None):
            raise ValueError("a transferrer and its lease are told together")
        return self


class AssetEvent(Event):
    """What all events of an asset tell: itself after it, in full.

    Attributes:
        turn: Counts what was said of the asset and of its runs, from 1.
    """

    turn: Turn
    asset: ObservationAsset
    care: AssetCare = AssetCare()

    def identity(self) -> tuple[object, ...]:
        return (self.asset.uid, self.turn)

    def about(self) -> UUID:
        return self.asset.uid


class AssetRegistered(AssetEvent):
    """There is an asset; its bytes may still be elsewhere.

    Attributes:
        task_uid: The task that it was made by, if it was made by one.
    """

    entity = "observation_asset"
    fact = "registered"

    task_uid: UUID | None = None

    @model_validator(mode="after")
    def _is_new(self) -> "AssetRegistered":
        asset = self.asset
        pointers = (
            asset.current_processing_run_id,
            asset.current_analysis_run_id,
            asset.current_processing_output_id,
            asset.current_render_run_id,
            asset.thumbnail_file_id,
            asset.preview_file_id,
        )
        if any(pointer is not None for pointer in pointers):
            raise ValueError("a new asset had no runs: what they make is told by runs that are completed")
        if self.turn != 1:
            raise ValueError("an asset is registered first")
        return self

    def identity(self) -> tuple[object, ...]:
        return (self.asset.uid,)


class RenderMarked(AssetEvent):
    """The pictures of an asset are out of date."""

    entity = "observation_asset"
    fact = "render_marked"


class AssetTransferRequested(AssetEvent):
    """The bytes of an asset are to be fetched: it is new, or they are to be tried again."""

    entity = "asset_transfer"
    fact = "requested"


class AssetTransferStarted(AssetEvent):
    """An attempt to fetch the bytes of an asset begins."""

    entity = "asset_transfer"
    fact = "started"


class AssetTransferProgressed(AssetEvent):
    """More bytes of an asset are here."""

    entity = "asset_transfer"
    fact = "progressed"


class AssetTransferCompleted(AssetEvent):
    """The bytes of an asset are here, and are those that were declared: its pictures are to be made."""

    entity = "asset_transfer"
    fact = "completed"


class AssetTransferFailed(AssetEvent):
    """An attempt to fetch the bytes of an asset failed; `transfer_error` says why."""

    entity = "asset_transfer"
    fact = "failed"


class AssetTransferCanceled(AssetEvent):
    """The bytes of an asset are not fetched."""

    entity = "asset_transfer"
    fact = "canceled"
