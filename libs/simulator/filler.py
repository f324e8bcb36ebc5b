"""Bytes for benchmarks: of exact size, incompressible, never the same block twice, quickly made."""

from pathlib import Path
from typing import Final

import numpy as np

_WORDS_PER_BLOCK: Final = 1 << 20
_WORD_BYTES: Final = 8


def write_filler(path: Path, size: int, seed: int) -> None:
    """Write a file of pseudo-random bytes; its folder must exist. Blocking, flat memory.

    Args:
        path: The file, which is replaced if it exists.
        size: In bytes.
        seed: The same seed gives the same bytes; a smaller size gives their beginning.

    Raises:
        OSError: The disk refuses.
        ValueError: The size or the seed is negative.
    """
    if size < 0:
        raise ValueError(f"a file cannot have {size} bytes")
    source = np.random.SFC64(seed)
    left = size
    with path.open("wb") as file:
        while left:
            words = min(_WORDS_PER_BLOCK, -(-left // _WORD_BYTES))
            block = source.random_raw(words).astype("<u8", copy=False).view(np.uint8)
            left -= file.write(block[:left].data)
