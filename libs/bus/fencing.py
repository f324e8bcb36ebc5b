"""Whether one still is the one to do something: asked right before an effect that a successor may have overtaken.

Handlers work by the claim on their message (`libs.bus.claims`), sweeps by a lease (`libs.bus.leases`). Both end, by a
clock that goes on while a process is paused. What may be overtaken follows one order:

    1. Make something that a successor will find and take away (a file of this try's own name).
    2. `check()`. A successor begins after the claim has ended, so after this moment, and so it finds it.
    3. Work.
    4. Take effect by something that needs the thing of step 1 (a link, a rename): it fails if there was a successor.

Where there is nothing to take away, `check()` right before the effect leaves the moment between the two, as long as a
pause is unlikely to begin in it; the modules that do so say why that is harmless.

`check` finds its authority by a context variable, as `libs.bus.pulse` does, from any task or thread of the work.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Authority(Protocol):
    """What lets a piece of work take effect for a while."""

    def check(self) -> None:
        """Raise if it has ended."""

    def lose(self) -> None:
        """There is evidence of a successor: it has ended, whatever the clock says."""


_CURRENT: ContextVar[Authority | None] = ContextVar("authority", default=None)


@contextmanager
def working_by(authority: Authority) -> Iterator[None]:
    """Let `authority` be the current one while the block runs."""
    token = _CURRENT.set(authority)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def check() -> None:
    """Go on only while no successor can be at the same work. Outside of handlers and sweeps everybody may.

    Raises:
        Overtaken: A successor may be at work: stop, say nothing, and leave everything as it is.
    """
    authority = _CURRENT.get()
    if authority is not None:
        authority.check()


class Overtaken(Exception):
    """A successor has the work, or may have it. No fault of the work: nobody is told, nothing is judged."""


def overtaken(evidence: str) -> Overtaken:
    """The error for evidence that a successor is at work, such as a file of this try that somebody took away."""
    authority = _CURRENT.get()
    if authority is not None:
        authority.lose()
    return Overtaken(evidence)
