"""A process that renders one file after another: requests on standard input, answers on standard output.

It ends when its input ends, when its parent dies, or when it is killed; it keeps nothing between files.
Run by the pool as `python -P -m libs.imaging.worker PARENT_PID MEMORY_BYTES`.
"""

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path
from typing import BinaryIO, Final

from libs.imaging.outcomes import OUTCOMES
from libs.imaging.render import render_fits
from libs.imaging.wire import LENGTH, READY, RenderRequest, framed

_PR_SET_PDEATHSIG: Final = 1
_NICENESS: Final = 5


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent dies, and end at once if it is dead already.

    Args:
        parent: The process that should still be the parent.

    Raises:
        OSError: The kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        sys.exit("the parent is gone")


def limit_resources(memory_bytes: int) -> None:
    """Limit the address space, write no core files, and leave the processor to more urgent work."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(_NICENESS)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    _say(answers, READY)
    while body := _next_frame(requests):
        request = RenderRequest.model_validate_json(body)
        outcome = render_fits(Path(os.fsdecode(request.path)), settings=request.settings)
        _say(answers, OUTCOMES.dump_json(outcome))


def _next_frame(stream: BinaryIO) -> bytes:
    header = stream.read(LENGTH.size)
    return stream.read(*LENGTH.unpack(header)) if len(header) == LENGTH.size else b""


def _say(stream: BinaryIO, body: bytes) -> None:
    stream.write(framed(body))
    stream.flush()


def main() -> None:
    """Begin. What any library prints goes to standard error, so that it cannot mix with the answers."""
    parent, memory_bytes = (int(argument) for argument in sys.argv[1:])
    die_with_parent(parent)
    limit_resources(memory_bytes)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with answers:
        serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
