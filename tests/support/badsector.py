"""A disk that fails to hand out a file: every read of it gives the kernel's own EIO."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

UNREADABLE = Path("/proc/self/mem")
"""Nothing is mapped at its first byte: opening it works, reading it is an input/output error."""


@contextmanager
def bad_sector(path: Path) -> Iterator[None]:
    """While the block runs, whoever opens `path` in this process can read nothing of it."""
    opened, os_open = Path.open, os.open

    def open_path(self: Path, *arguments: Any, **options: Any) -> Any:
        return opened(UNREADABLE if self == path else self, *arguments, **options)

    def open_handle(name: Any, *arguments: Any, **options: Any) -> int:
        return os_open(UNREADABLE if name == path else name, *arguments, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path, "open", open_path)
        patched.setattr(os, "open", open_handle)
        yield
