"""What becomes of the transfer of an asset's bytes.

One transferrer leases it at a time. Whoever is not the one, or whose lease expired, is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from contracts.skynet.assets import (
    AssetCare,
    AssetEvent,
    AssetRegistered,
    AssetTransferCanceled,
    AssetTransferCompleted,
    AssetTransferFailed,
    AssetTransferProgressed,
    AssetTransferRequested,
    AssetTransferStarted,
    ObservationAsset,
)
from contracts.skynet.fields import changed
from contracts.skynet.states import IllegalStep, TransferState, TransferStep, transfer_after
from libs.skynet.rendering import Debounce, marked

NO_LEASE: Mapping[str, object] = {"transferrer": None, "lease_until": None}
MOST_OF_AN_ERROR = 250


@dataclass(frozen=True, slots=True)
class Lease:
    """Who fetches the bytes of an asset, and until when.

    Attributes:
        transferrer: A service.
        until: When another one may take its place.
    """

    transferrer: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Proof:
    """What was declared of the bytes, and what was found; None where it is unknown.

    Attributes:
        size: Bytes declared; `found_size` those that are here.
        sha256: Hex digest declared; `found_sha256` that of the bytes that are here.
    """

    size: int | None
    sha256: str | None
    found_size: int
    found_sha256: str

    @property
    def holds(self) -> bool:
        """Whether size and checksum were declared, and match."""
        return (self.size, self.sha256) == (self.found_size, self.found_sha256)


def is_wanted(asset: ObservationAsset) -> bool:
    """Whether its bytes are to be fetched now."""
    return asset.is_remote and asset.is_transferrable and asset.transfer_state is TransferState.PENDING


def first_request(known: AssetEvent) -> AssetTransferRequested | None:
    """The bytes of a new asset are to be fetched; None if they are here, or must not be.

    Its transfer is pending already: this says so to whoever fetches.
    """
    if not is_wanted(known.asset):
        return None
    return AssetTransferRequested(turn=known.turn + 1, asset=known.asset, care=known.care)


def request(known: AssetEvent) -> AssetTransferRequested:
    """What failed or was canceled is to be tried again.

    Raises:
        IllegalStep: Neither is true.
    """
    update = {"transfer_error": None, "transfer_progress": None}
    asset = _after(known, TransferStep.REQUESTED, update)
    return AssetTransferRequested(turn=known.turn + 1, asset=asset, care=known.care)


def start(known: AssetEvent, lease: Lease, size: int | None, now: datetime) -> AssetTransferStarted:
    """A transferrer leases it: an attempt begins, at progress 0 if the size is known.

    Raises:
        IllegalStep: It does not wait for one, or must not be fetched.
    """
    if not known.asset.is_transferrable:
        raise IllegalStep("an asset that is not transferrable is not fetched")
    progress = None if size is None else 0.0
    asset = _after(known, TransferStep.STARTED, {"last_transfer_attempt": now, "transfer_progress": progress})
    care = changed(
        known.care,
        {
            "transfer_attempts": known.care.transfer_attempts + 1,
            "transferrer": lease.transferrer,
            "lease_until": lease.until,
        },
    )
    return AssetTransferStarted(turn=known.turn + 1, asset=asset, care=care)


def progress(
    known: AssetEvent, lease: Lease, done: int, size: int | None, now: datetime
) -> AssetTransferProgressed:
    """The transferrer has so many bytes, and renews its lease.

    Raises:
        IllegalStep: It is not the transferrer, or is too late.
    """
    _check_lease(known.care, lease.transferrer, now)
    asset = _after(
        known,
        TransferStep.PROGRESSED,
        {"transfer_progress": _further(known.asset.transfer_progress, done, size)},
    )
    until = max(lease.until, known.care.lease_until or lease.until)
    return AssetTransferProgressed(
        turn=known.turn + 1, asset=asset, care=changed(known.care, {"lease_until": until})
    )


def complete(
    known: AssetEvent, transferrer: str, proof: Proof, now: datetime, debounce: Debounce
) -> AssetTransferCompleted:
    """The bytes are here: they are no longer remote, and their pictures are to be made.

    Raises:
        IllegalStep: They are not those that were declared; or it is not the transferrer, or is too late.
    """
    _check_lease(known.care, transferrer, now)
    if not proof.holds:
        raise IllegalStep("bytes whose size and checksum are not as declared complete no transfer")
    of_asset, of_care = marked(known.asset, known.care, now, debounce)
    update = {**of_asset, "is_remote": False, "transfer_progress": 1.0, "transfer_error": None}
    asset = _after(known, TransferStep.COMPLETED, update)
    care = changed(known.care, {**of_care, **NO_LEASE})
    return AssetTransferCompleted(turn=known.turn + 1, asset=asset, care=care)


def fail(known: AssetEvent, transferrer: str, error: str) -> AssetTransferFailed:
    """The transferrer gives the attempt up.

    Raises:
        IllegalStep: It is not the transferrer.
    """
    if known.care.transferrer not in (None, transferrer):
        raise IllegalStep(f"{known.care.transferrer} has the transfer, not {transferrer}")
    return _failed(known, error)


def expire(known: AssetEvent, now: datetime) -> AssetTransferFailed | None:
    """The lease of a transferrer that was lost expired; None if it did not, or there is none."""
    until = known.care.lease_until
    if known.asset.transfer_state is not TransferState.ACTIVE or until is None or now < until:
        return None
    return _failed(known, f"the lease of {known.care.transferrer} expired at {until.isoformat()}")


def cancel(known: AssetEvent) -> AssetTransferCanceled:
    """Nobody wants the bytes any more.

    Raises:
        IllegalStep: They are here, or the last attempt is over.
    """
    asset = _after(known, TransferStep.CANCELED, {})
    return AssetTransferCanceled(turn=known.turn + 1, asset=asset, care=changed(known.care, NO_LEASE))


def register(asset: ObservationAsset, debounce: Debounce, now: datetime) -> AssetRegistered:
    """A new asset; if its bytes are here its pictures are to be made.

    Raises:
        pydantic.ValidationError: It has had runs already.
    """
    care = AssetCare()
    if not asset.is_remote:
        of_asset, of_care = marked(asset, care, now, debounce)
        asset, care = changed(asset, of_asset), changed(care, of_care)
    return AssetRegistered(turn=1, asset=asset, care=care)


def _failed(known: AssetEvent, error: str) -> AssetTransferFailed:
    asset = _after(known, TransferStep.FAILED, {"transfer_error": error[:MOST_OF_AN_ERROR]})
    return AssetTransferFailed(turn=known.turn + 1, asset=asset, care=changed(known.care, NO_LEASE))


def _after(known: AssetEvent, step: TransferStep, update: Mapping[str, object]) -> ObservationAsset:
    state = transfer_after(step, known.asset.transfer_state)
    return changed(known.asset, {**update, "transfer_state": state})


def _check_lease(care: AssetCare, transferrer: str, now: datetime) -> None:
    if care.transferrer is None or care.lease_until is None:
        return  # no transfer is active: the table of steps says what is wrong
    if care.transferrer != transferrer:
        raise IllegalStep(f"{care.transferrer} has the transfer, not {transferrer}")
    if now >= care.lease_until:
        raise IllegalStep(f"the lease of {transferrer} expired at {care.lease_until.isoformat()}")


def _further(before: float | None, done: int, size: int | None) -> float | None:
    if size is None:
        return before
    fraction = min(done / size, 1.0) if size else 1.0
    return fraction if before is None else max(before, fraction)
