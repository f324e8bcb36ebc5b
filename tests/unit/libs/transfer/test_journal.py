import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.transfer.journal import (
    SourceIdentity,
    decode,
    encode_header,
    encode_record,
    whole_length,
)

IDENTITY = SourceIdentity(size=1000, mtime_ns=5, inode=7, chunk=100, sha256="ab")


def written(*chunks: int) -> bytes:
    return encode_header(IDENTITY) + b"".join(map(encode_record, chunks))


@given(st.sets(st.integers(0, 9)), st.integers(0, 11))
def test_a_torn_end_is_ignored(chunks: set[int], torn: int) -> None:
    data = written(*chunks) + encode_record(3)[:torn]
    assert decode(data, IDENTITY, 10) == frozenset(chunks)
    assert whole_length(len(data), IDENTITY) == len(written(*chunks))


@given(st.data())
def test_a_flipped_bit_is_never_believed(data: st.DataObject) -> None:
    good = bytearray(written(1, 2, 3))
    at = data.draw(st.integers(0, len(good) - 1))
    good[at] ^= 1 << data.draw(st.integers(0, 7))
    assert decode(bytes(good), IDENTITY, 10) is None


@pytest.mark.parametrize(
    "other",
    [
        SourceIdentity(1001, 5, 7, 100, "ab"),
        SourceIdentity(1000, 6, 7, 100, "ab"),
        SourceIdentity(1000, 5, 8, 100, "ab"),
        SourceIdentity(1000, 5, 7, 200, "ab"),
        SourceIdentity(1000, 5, 7, 100, "ac"),
    ],
)
def test_another_source_starts_over(other: SourceIdentity) -> None:
    assert decode(written(1), other, 10) is None


def test_a_chunk_beyond_the_end_starts_over() -> None:
    assert decode(written(10), IDENTITY, 10) is None
