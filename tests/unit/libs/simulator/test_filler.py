"""Bytes for benchmarks."""

import zlib
from pathlib import Path

import pytest

from libs.simulator.filler import write_filler

BLOCK = 8 << 20


def made(path: Path, size: int, seed: int) -> bytes:
    write_filler(path, size, seed)
    return path.read_bytes()


@pytest.mark.parametrize("size", [0, 1, 7, 8, 10_240, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 12_345])
def test_the_size_is_exact(tmp_path: Path, size: int) -> None:
    assert len(made(tmp_path / "f", size, 1)) == size


def test_the_seed_decides(tmp_path: Path) -> None:
    path = tmp_path / "f"
    long = made(path, BLOCK + 99, 4)
    assert made(path, BLOCK + 99, 4) == long
    assert made(path, 1001, 4) == long[:1001]
    assert made(path, 1001, 5) != long[:1001]


def test_incompressible_and_no_block_twice(tmp_path: Path) -> None:
    data = made(tmp_path / "f", 2 * BLOCK, 2)
    assert len(zlib.compress(data[:1_000_000], 6)) > 999_000
    pieces = [data[begin : begin + 4096] for begin in range(0, len(data), 4096)]
    assert len(set(pieces)) == len(pieces)


def test_negative_sizes_and_seeds(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="-1 bytes"):
        write_filler(tmp_path / "f", -1, 1)
    with pytest.raises(ValueError, match="non-negative"):
        write_filler(tmp_path / "f", 1, -1)
    assert not (tmp_path / "f").exists()
