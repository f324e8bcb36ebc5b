"""What becomes of a message whose handling failed: one pure decision, for every service."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from contracts.problems import Problem
from contracts.registry import UnreadableEvent
from contracts.states import FailureKind
from libs.errors import ChasquiError, Permanent, Poison, Postponed, Retriable, UserError

FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 60.0
UNEXPECTED_ATTEMPTS = 20
"""An error nobody planned for is probably a defect: a person should see it within minutes, not days."""


@dataclass(frozen=True, slots=True)
class Redeliver:
    """Try again after `delay_s` seconds."""

    delay_s: float
    problem: Problem


@dataclass(frozen=True, slots=True)
class Postpone:
    """Nothing was tried: try after `delay_s` seconds, and count no attempt."""

    delay_s: float
    problem: Problem


@dataclass(frozen=True, slots=True)
class Bury:
    """Put it among the dead letters and go on."""

    problem: Problem
    failure: FailureKind


Verdict = Redeliver | Postpone | Bury


def judge(error: BaseException, *, attempt: int, max_attempts: int, jitter: float | None = None) -> Verdict:
    """Decide by the kind of the error.

    Args:
        error: What the handler raised. Of a group, what was tried and failed counts before what was not tried.
        attempt: How many times the message has been handled, this time included; postponements do not count.
        max_attempts: How many times a retriable failure is tried.
        jitter: Between 0 and 1; random if left out.
    """
    share = random.random() if jitter is None else jitter  # noqa: S311  jitter, no secret
    error = _first_tried(error)
    match error:
        case Poison() | UnreadableEvent():
            return Bury(error.problem, FailureKind.POISON)
        case Permanent() | UserError():
            return Bury(error.problem, FailureKind.PERMANENT)
        case Postponed(delay_s=delay_s, problem=problem):
            return Postpone(delay_s * (1 + share / 4), problem)
        case Retriable():
            problem, failure = error.problem, FailureKind.EXHAUSTED
        case _:
            problem, failure = unexpected(error), FailureKind.UNEXPECTED
            max_attempts = min(max_attempts, UNEXPECTED_ATTEMPTS)
    if attempt >= max_attempts:
        return Bury(problem, failure)
    return Redeliver(backoff(attempt) * (0.5 + share / 2), problem)


def _first_tried(error: BaseException) -> BaseException:
    leaves = list(_leaves(error))
    return next((leaf for leaf in leaves if not isinstance(leaf, Postponed)), leaves[0])


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for each in error.exceptions:
        yield from _leaves(each)


def backoff(attempt: int) -> float:
    """Seconds to wait after the `attempt`-th failure: doubling, bounded."""
    return float(min(FIRST_DELAY_S * 2 ** min(attempt - 1, 16), LONGEST_DELAY_S))


def died(deaths: int) -> Problem:
    """A message that nobody who had it in hand lived to settle."""
    return Problem(
        code="handler_died",
        reason=f"{deaths} deliveries ended without a word: each time the process was killed, paused or hung",
        remedy="Look in the log of the system for what killed it (memory, a crash of a library), then retry the letter.",
    )


def unexpected(error: BaseException) -> Problem:
    """An error nobody planned for: tried again like a retriable one, then kept for a person to read."""
    if isinstance(error, ChasquiError):
        return error.problem
    return Problem(
        code="unexpected_error",
        reason=f"{type(error).__name__}: {error}",
        remedy="Read the service's log for the traceback; report it as a defect if it is one.",
    )
