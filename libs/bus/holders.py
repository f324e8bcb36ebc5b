"""Who holds something: a process by a name that no later one has, so that its death can be seen from beside it."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_STATE, _STARTED = 0, 19
"""Fields of /proc/PID/stat, counted behind the program's name."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process as Linux tells it from all others.

    Attributes:
        boot: Of the kernel it runs on; another one for each machine and boot.
        namespace: In which `pid` counts; containers have their own.
        pid: Used again for later processes.
        started: Clock ticks after the boot: tells it from those.
    """

    boot: str
    namespace: str
    pid: int
    started: int


def this_process() -> ProcessId | None:
    """This very process; None where /proc does not tell."""
    pid = os.getpid()
    with suppress(OSError):
        started = int(_stat(pid)[_STARTED])
        return ProcessId(_BOOT.read_text().strip(), str(Path("/proc/self/ns/pid").readlink()), pid, started)
    return None


def is_gone(process: ProcessId) -> bool:
    """Whether a process is known to have ended; what cannot be seen from here counts as living."""
    here = this_process()
    if here is None or (here.boot, here.namespace) != (process.boot, process.namespace):
        return False
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    try:
        fields = _stat(process.pid)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    # A killed process whose parent has not yet asked for its end is dead for all that matters.
    return fields[_STATE] in {"Z", "X"} or int(fields[_STARTED]) != process.started


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
