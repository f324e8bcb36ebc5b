"""What of a file has arrived: a few bytes beside the partial file, enough to go on after a kill.

    .NAME.NONCE.partial           the file, in its full length from the start, with holes where chunks are missing
    .NAME.NONCE.partial.journal   a header line (JSON), then one fixed record for each chunk that is synced

Invariants:
    1. A chunk is recorded only after its bytes are synced: after a power loss the journal never says more
       than the disk holds. A record that is lost costs one chunk copied twice.
    2. A journal counts only for the same source (size, mtime, inode), chunk size and expected checksum.
    3. A torn last record is ignored; anything else that is not as written makes the copy start over.
"""

import json
import struct
import zlib
from dataclasses import asdict, dataclass

_RECORD = struct.Struct(">QI")


@dataclass(frozen=True, slots=True)
class SourceIdentity:
    """What a journal holds for: this content, of this file, cut in this way."""

    size: int
    mtime_ns: int
    inode: int
    chunk: int
    sha256: str


def encode_header(identity: SourceIdentity) -> bytes:
    """The journal's first line."""
    return json.dumps(asdict(identity), sort_keys=True).encode() + b"\n"


def encode_record(index: int) -> bytes:
    """A chunk's number with a checksum of it."""
    return _RECORD.pack(index, zlib.crc32(index.to_bytes(8, "big")))


def decode(data: bytes, identity: SourceIdentity, chunks: int) -> frozenset[int] | None:
    """The chunks that a journal vouches for, or None when it does not count for this copy."""
    header = encode_header(identity)
    if not data.startswith(header):
        return None
    body = data[len(header) :]
    done = set()
    for start in range(0, len(body) - len(body) % _RECORD.size, _RECORD.size):
        index, checksum = _RECORD.unpack_from(body, start)
        if zlib.crc32(index.to_bytes(8, "big")) != checksum or index >= chunks:
            return None
        done.add(index)
    return frozenset(done)


def whole_length(length: int, identity: SourceIdentity) -> int:
    """The length of a journal of `length` bytes without its torn last record."""
    header = len(encode_header(identity))
    return length - (length - header) % _RECORD.size
