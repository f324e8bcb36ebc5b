"""Where a run's servers keep their files: in memory where there is room, for they sync every write.

Tests kill processes and never cut the power, so what a sync is for is not tested by one: the files of a killed server
are as they were in either place.
"""

import errno
import os
import shutil
import tempfile
from pathlib import Path

IN_MEMORY = Path("/dev/shm")
PREFIX = "chasqui-tests-"
WANTED_BYTES = 2 * 1024**3
_MEMORY = Path("/proc/meminfo")


def quick_folder() -> Path:
    """A new folder: in memory if 2 GiB are free there and files can have extended attributes; else on disk.

    Folders of runs that were killed go first: memory is not given back by itself.
    """
    for left in IN_MEMORY.glob(f"{PREFIX}*"):
        if not Path("/proc", left.name.removeprefix(PREFIX).partition("-")[0]).exists():
            shutil.rmtree(left, ignore_errors=True)
    return Path(
        tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=IN_MEMORY if _fits(IN_MEMORY) else None)
    )


def _fits(folder: Path) -> bool:
    try:
        free = min(shutil.disk_usage(folder).free, _available_bytes())
        return free >= WANTED_BYTES and _keeps_attributes(folder)
    except OSError:
        return False


def _available_bytes() -> int:
    for line in _MEMORY.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return 0


def _keeps_attributes(folder: Path) -> bool:
    """Whether Swift can keep its metadata there: tmpfs has user attributes since Linux 6.6."""
    with tempfile.NamedTemporaryFile(dir=folder) as probe:
        try:
            os.setxattr(probe.name, "user.chasqui", b"1")
        except OSError as error:
            if error.errno in {errno.EOPNOTSUPP, errno.EPERM, errno.EACCES}:
                return False
            raise
    return True
