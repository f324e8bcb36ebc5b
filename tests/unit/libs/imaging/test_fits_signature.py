"""Telling FITS from other files by the first bytes."""

import gzip
import os
import socket
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.imaging.outcomes import NoPreviewCode
from libs.imaging.signature import (
    Signature,
    looks_like_fits,
    read_signature,
    refusal_of,
    signature_of,
)

CARD = b"SIMPLE  =                    T / conforms to FITS standard".ljust(80)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"", Signature.EMPTY),
        (CARD, Signature.FITS),
        (gzip.compress(CARD * 36, mtime=0), Signature.GZIPPED_FITS),
        (gzip.compress(b"no fits", mtime=0), Signature.OTHER),
        (b"\x1f\x8b", Signature.OTHER),
        (b"\x1f\x8b" + bytes(100), Signature.OTHER),
        (b"SIMPLE", Signature.OTHER),
        (b"SIMPLE  = 'a text'", Signature.OTHER),
        (b"XTENSION= 'IMAGE   '", Signature.OTHER),
        (b" " + CARD, Signature.OTHER),
    ],
)
def test_heads(head: bytes, expected: Signature) -> None:
    assert signature_of(head) is expected


@given(st.binary(max_size=200))
def test_any_bytes_are_judged(head: bytes) -> None:
    assert signature_of(head) in {Signature.EMPTY, Signature.OTHER}  # 80 right bytes do not come by chance
    assert signature_of(b"\x1f\x8b" + head) is Signature.OTHER


def test_ten_thousand_other_files_take_less_than_a_second(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.fits" for number in range(10_000)]
    for path in paths:
        path.write_bytes(b"\x1f\x8b\x08 not FITS after all")
    began = time.process_time()
    found = [path for path in paths if looks_like_fits(path)]
    assert time.process_time() - began < 1.0
    assert found == []


def test_pipes_sockets_and_folders_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.fits")
    assert read_signature(tmp_path / "pipe.fits") is Signature.NOT_A_FILE
    assert read_signature(tmp_path) is Signature.NOT_A_FILE
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        with pytest.raises(OSError, match="No such device"):
            read_signature(tmp_path / "s")


def test_refusals_say_why() -> None:
    codes = {signature: refusal.code for signature in Signature if (refusal := refusal_of(signature))}
    assert codes == {
        Signature.EMPTY: NoPreviewCode.EMPTY_FILE,
        Signature.NOT_A_FILE: NoPreviewCode.UNREADABLE,
        Signature.OTHER: NoPreviewCode.NOT_FITS,
    }
