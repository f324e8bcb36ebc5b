"""Tell FITS from other files by their first bytes, cheaply and without astropy.

The name is not asked: `.fits`, `.fit`, `.fts` and `.fits.fz` all begin with the SIMPLE card
(FITS standard 4.0, section 4.4.1.1), `.fits.gz` with the magic number of gzip (RFC 1952).
"""

import os
import re
import stat
import zlib
from enum import Enum
from pathlib import Path
from typing import Final

from libs.imaging.outcomes import NoPreview, NoPreviewCode

_HEAD_BYTES: Final = 4096
_CARD_BYTES: Final = 80
_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_WBITS: Final = 31
_SIMPLE_CARD: Final = re.compile(rb"SIMPLE  = *[TF][ /]")


class Signature(Enum):
    """What a file begins like."""

    EMPTY = "empty"
    """It has no bytes."""
    FITS = "fits"
    """Its first card is SIMPLE."""
    GZIPPED_FITS = "gzipped_fits"
    """It is a gzip stream whose content begins with the card SIMPLE."""
    NOT_A_FILE = "not_a_file"
    """A directory, pipe, socket or device, from which nothing was read."""
    OTHER = "other"
    """Anything else."""


def read_signature(path: Path) -> Signature:
    """Look at the first bytes of a file; a pipe or device is neither waited for nor read.

    Raises:
        OSError: The file cannot be opened or read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return Signature.NOT_A_FILE
        return signature_of(os.read(descriptor, _HEAD_BYTES))
    finally:
        os.close(descriptor)


def signature_of(head: bytes) -> Signature:
    """Judge the first 4096 bytes (or all, if there are fewer) of a file."""
    if not head:
        return Signature.EMPTY
    if _SIMPLE_CARD.match(head):
        return Signature.FITS
    if head.startswith(_GZIP_MAGIC) and _SIMPLE_CARD.match(_gunzipped_card(head)):
        return Signature.GZIPPED_FITS
    return Signature.OTHER


def looks_like_fits(path: Path) -> bool:
    """Say whether a file begins as FITS does, plain or gzipped.

    Raises:
        OSError: The file cannot be opened or read.
    """
    return read_signature(path) in {Signature.FITS, Signature.GZIPPED_FITS}


def refusal_of(signature: Signature) -> NoPreview | None:
    """Say why a file with this signature cannot have pictures; None if it may."""
    match signature:
        case Signature.FITS | Signature.GZIPPED_FITS:
            return None
        case Signature.EMPTY:
            return NoPreview(code=NoPreviewCode.EMPTY_FILE, reason="the file has no bytes")
        case Signature.NOT_A_FILE:
            return NoPreview(code=NoPreviewCode.UNREADABLE, reason="this is no regular file")
        case Signature.OTHER:
            return NoPreview(code=NoPreviewCode.NOT_FITS, reason="the file does not begin as FITS does")


def _gunzipped_card(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(_GZIP_WBITS).decompress(head, _CARD_BYTES)
    except zlib.error:
        return b""
