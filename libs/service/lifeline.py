"""Dying with one's supervisor: a service whose supervisor is killed must not stay behind.

The supervisor is not the parent: services are forked by a fork server, which lives as long as they do. So each
service watches the supervisor itself, through a pidfd, which becomes readable when that very process has ended.
"""

import os
import select
import signal
import threading
import time

GRACE_S = 10.0


def die_with(supervisor: int) -> None:
    """End this process when `supervisor` ends: SIGTERM at once, SIGKILL after a grace time.

    Raises:
        SystemExit: The supervisor is gone already.
        OSError: The kernel has no pidfds (Linux before 5.3, or no Linux).
    """
    try:
        watched = os.pidfd_open(supervisor)
    except ProcessLookupError:
        raise SystemExit(1) from None
    threading.Thread(target=_watch, args=(watched,), name="lifeline", daemon=True).start()


def _watch(watched: int) -> None:
    poll = select.poll()
    poll.register(watched, select.POLLIN)
    poll.poll()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os.kill(os.getpid(), signal.SIGKILL)
