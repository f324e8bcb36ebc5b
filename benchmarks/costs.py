"""What a run costs in processor time and memory, all its processes counted.

Wall time says little on a machine that does something else, too: seconds of the processors say what is to be done.
"""

import resource
from contextlib import suppress

import psutil

MIB = 1 << 20


def cpu_seconds() -> float:
    """Of this process, its servers, and every process that one of them has started and waited for, up to now."""
    me = psutil.Process()
    total = 0.0
    for process in (me, *me.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def peak_of_children_mib() -> float:
    """The most memory that one of the processes had that this one has started and waited for."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / MIB
