"""The time of day of a deployment, set while it runs.

libfaketime, which its package brings, stands between the processes and the C library: they ask for the time of day and
are told another one. The monotonic clock and the times of files stay the kernel's. NATS is written in Go, asks the
kernel itself, and keeps the right time, as a server on another machine would.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

REREAD_S = 1
"""After so many seconds a process sees another setting."""


@dataclass(frozen=True, slots=True)
class Clock:
    """What processes with this clock's environment take for the time of day.

    Attributes:
        file: Says how wrong it is.
    """

    file: Path

    def shift(self, seconds: int) -> None:
        """Be so much ahead of the right time; behind, if negative."""
        temporary = self.file.with_name(f"{self.file.name}.new")
        temporary.write_text(f"{seconds:+d}\n")
        temporary.replace(self.file)

    def environment(self) -> dict[str, str]:
        """For the processes."""
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_CACHE_DURATION": str(REREAD_S),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


def library() -> Path:
    """The shared library in the package.

    Raises:
        AssertionError: It is not there.
    """
    spec = importlib.util.find_spec("libfaketime")
    assert spec is not None, "libfaketime is missing: pip install '.[dev]'"
    assert spec.origin is not None
    found = Path(spec.origin).parent / "vendor/libfaketime/src/libfaketime.so.1"
    assert found.is_file(), f"the package libfaketime has no {found}"
    return found
