"""Dying with one's parent: a service whose supervisor is killed must not stay behind."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1


def die_with_parent(death: signal.Signals = signal.SIGTERM) -> None:
    """Ask the kernel for `death` when the process that forked this one ends.

    The signal follows the forking *thread*: fork from a thread that lives as long as its process.

    Raises:
        OSError: The kernel refuses (it is no Linux).
        SystemExit: The parent is gone already.
    """
    parent = os.getppid()
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(death), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent or parent == 1:
        raise SystemExit(1)
