"""Proof that an object is what we think it is: by what the server says, or by its bytes."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from libs.errors import Permanent
from libs.storage.s3_objects import ObjectFacts


class ProofMode(StrEnum):
    """How far a proof goes."""

    HEAD = "head"
    """Size, our SHA-256 in the metadata, and the server's checksum where it reports one: cheap, and as good
    as the server's word."""
    BYTES = "bytes"
    """The whole object is read back and hashed here: finds rot that the server does not know of."""


class Verdict(StrEnum):
    """What a proof found."""

    PROVEN = "proven"
    """The object is the expected one, as far as the mode looks."""
    MISSING = "missing"
    """There is no such key."""
    SIZE_DIFFERS = "size_differs"
    """The object has another size."""
    CHECKSUM_DIFFERS = "checksum_differs"
    """Its declared, reported or computed checksum is another one."""
    BROKEN = "broken"
    """The server itself says that a part of the object is lost or damaged."""
    UNDECLARED = "undeclared"
    """It carries no checksum of ours: HEAD cannot prove it, BYTES can."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proven about an object, how and when.

    Attributes:
        key: The object.
        mode: How it was looked at.
        verdict: What was found.
        found: In words, with the values that differ.
        at: When the proof was complete.
        bytes_read: Bytes of the object that came back; 0 for HEAD.
        etag: The server's tag of the content that was looked at; empty if there was none.
    """

    key: str
    mode: ProofMode
    verdict: Verdict
    found: str
    at: datetime
    bytes_read: int
    etag: str

    def require(self) -> "Proof":
        """Return this proof if it is one.

        Raises:
            Permanent: `object_missing` or `proof_failed`.
        """
        if self.verdict is Verdict.PROVEN:
            return self
        code = "object_missing" if self.verdict is Verdict.MISSING else "proof_failed"
        raise Permanent(
            code, f"{self.key!r}: {self.found}", "Archive it again from a verified copy before any copy goes."
        )


def judge_head(facts: ObjectFacts, size: int, sha256: str, crc64nvme: str | None) -> tuple[Verdict, str]:
    """Compare what the server says with what was sent.

    Args:
        facts: The server's words.
        size: Expected bytes.
        sha256: Expected, hexadecimal.
        crc64nvme: What was computed at the upload (base64), if it is still known.
    """
    if facts.size != size:
        return Verdict.SIZE_DIFFERS, f"{facts.size} bytes, expected {size}"
    if facts.sha256 is None:
        return Verdict.UNDECLARED, "the object declares no SHA-256"
    if facts.sha256 != sha256:
        return Verdict.CHECKSUM_DIFFERS, f"declared SHA-256 {facts.sha256}, expected {sha256}"
    if crc64nvme is not None and facts.crc64nvme not in {None, crc64nvme}:
        return Verdict.CHECKSUM_DIFFERS, f"the server's CRC-64 is {facts.crc64nvme}, ours {crc64nvme}"
    return Verdict.PROVEN, "size and declared checksums agree"


def judge_bytes(read: int, computed: str, size: int, sha256: str) -> tuple[Verdict, str]:
    """Compare what came back with what was sent."""
    if read != size:
        return Verdict.SIZE_DIFFERS, f"{read} bytes came back, expected {size}"
    if computed != sha256:
        return Verdict.CHECKSUM_DIFFERS, f"the bytes have SHA-256 {computed}, expected {sha256}"
    return Verdict.PROVEN, "every byte came back and its SHA-256 agrees"


def proof(key: str, mode: ProofMode, judged: tuple[Verdict, str], bytes_read: int, etag: str) -> Proof:
    """Date and sign off a judgement."""
    return Proof(key, mode, *judged, at=datetime.now(UTC), bytes_read=bytes_read, etag=etag)
