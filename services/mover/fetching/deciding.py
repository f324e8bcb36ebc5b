"""What is said of an asset while its bytes are fetched: pure, but for the clock that it is given."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.problems import Problem
from contracts.skynet.assets import AssetEvent
from contracts.skynet.states import TransferState
from libs.skynet import transfers
from libs.skynet.knowing import KnownAsset
from libs.skynet.rendering import Debounce
from libs.skynet.transfers import Lease, Proof

LEASE = timedelta(minutes=5)
"""So long a transferrer may say nothing; it says something in half of that time."""

STEP = 0.1
"""Progress is said in steps of this part of the whole."""

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Retry:
    """How what failed is tried again.

    Attributes:
        first: So long after the first failure; after each further one twice as long.
        longest: But no longer than this.
        attempts: After so many it is not tried again by itself.
    """

    first: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(hours=1)
    attempts: int = 10

    def wait_after(self, attempts: int) -> timedelta | None:
        """How long so many attempts are waited out; None if there were enough."""
        if attempts >= self.attempts:
            return None
        factor: int = 1 << min(max(attempts - 1, 0), 20)
        return min(self.first * factor, self.longest)


def is_open(known: KnownAsset) -> bool:
    """Whether its bytes are still to be fetched: nobody has begun, or whoever did has not ended."""
    return known.asset.is_transferrable and known.asset.transfer_state in (
        TransferState.PENDING,
        TransferState.ACTIVE,
    )


def is_held(known: KnownAsset | None, me: str) -> bool:
    """Whether a transferrer is at it still: nobody canceled it, or took it over."""
    return (
        known is not None
        and known.asset.transfer_state is TransferState.ACTIVE
        and known.care.transferrer == me
    )


@dataclass(slots=True)
class Taking:
    """An attempt begins. Whoever asks holds the lease on the bus: any other transferrer is gone.

    Attributes:
        me: Who begins.
        size: Bytes, if they are known.
        now: The clock.
        retry: How often there may be another attempt after one that was lost.
    """

    me: str
    size: int | None
    now: Clock
    retry: Retry
    _lost: bool = False

    def next(self, known: KnownAsset) -> AssetEvent | None:
        """That the last one's attempt failed, that there is to be another one, that it begins; None if it has begun."""
        told, now = known.told, self.now()
        match known.asset.transfer_state:
            case TransferState.ACTIVE:
                lost = transfers.expire(told, now) or self._gone(known)
                self._lost = self._lost or lost is not None
                return lost
            case TransferState.FAILED if self._lost and self.retry.wait_after(known.care.transfer_attempts):
                return transfers.request(told)
            case TransferState.PENDING if transfers.is_wanted(known.asset):
                return transfers.start(told, Lease(self.me, now + LEASE), self.size, now)
        return None

    def _gone(self, known: KnownAsset) -> AssetEvent | None:
        other = known.care.transferrer
        if other is None or other == self.me:
            return None
        return transfers.fail(
            known.told, other, f"transferrer_lost: {other} ended before the bytes were here"
        )


@dataclass(frozen=True, slots=True)
class Going:
    """So many bytes are here.

    Attributes:
        me: Who fetches them.
        done: Bytes.
        size: Of how many, if that is known.
        now: The clock.
    """

    me: str
    done: int
    size: int | None
    now: Clock

    def next(self, known: KnownAsset) -> AssetEvent | None:
        """How far it is, if that is worth an event: a step further, or half of the lease is over.

        There are no more than one for each step, and one for each half of a lease.
        """
        now = self.now()
        until = known.care.lease_until
        if not is_held(known, self.me) or until is None or now >= until:
            return None
        if not self._is_further(known) and until - now > LEASE / 2:
            return None
        return transfers.progress(known.told, Lease(self.me, now + LEASE), self.done, self.size, now)

    def _is_further(self, known: KnownAsset) -> bool:
        before = known.asset.transfer_progress
        return bool(self.size) and before is not None and self.done / (self.size or 1) >= before + STEP


@dataclass(frozen=True, slots=True)
class Ending:
    """All bytes were moved, and read back.

    Attributes:
        me: Who fetched them.
        proof: What they are.
        now: The clock.
        debounce: How their pictures are waited for.
    """

    me: str
    proof: Proof
    now: Clock
    debounce: Debounce

    def next(self, known: KnownAsset) -> AssetEvent | None:
        """That they are here, or why they do not count; None if somebody else has decided."""
        if not is_held(known, self.me):
            return None
        now = self.now()
        expired = transfers.expire(known.told, now)
        if expired is not None:
            return expired
        if self.proof.holds:
            return transfers.complete(known.told, self.me, self.proof, now, self.debounce)
        return transfers.fail(known.told, self.me, _differs(self.proof))


@dataclass(frozen=True, slots=True)
class Failing:
    """The attempt failed.

    Attributes:
        me: Whose it was.
        problem: Why.
    """

    me: str
    problem: Problem

    def next(self, known: KnownAsset) -> AssetEvent | None:
        """That it failed; None if somebody else has decided."""
        if not is_held(known, self.me):
            return None
        return transfers.fail(known.told, self.me, f"{self.problem.code}: {self.problem.reason}")


@dataclass(frozen=True, slots=True)
class Asking:
    """What failed is asked for again.

    Attributes:
        attempts: How many there were when it failed.
    """

    attempts: int

    def is_due(self, known: KnownAsset | None) -> bool:
        """Whether it is this very failure that is the last that is known."""
        return (
            known is not None
            and known.asset.transfer_state is TransferState.FAILED
            and known.asset.is_transferrable
            and known.care.transfer_attempts == self.attempts
        )

    def next(self, known: KnownAsset) -> AssetEvent | None:
        """That it is asked for."""
        return transfers.request(known.told) if self.is_due(known) else None


def _differs(proof: Proof) -> str:
    if proof.size != proof.found_size:
        return f"size_mismatch: {proof.found_size} bytes came, {proof.size} were declared"
    return f"checksum_mismatch: SHA-256 {proof.found_sha256} came, {proof.sha256} was declared"
