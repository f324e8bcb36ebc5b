"""Answers to instruments, and the HTTP status of each."""

from collections.abc import Sequence
from typing import Final

from contracts.observations import FilingAccepted, FilingRefused
from contracts.problems import Problem
from contracts.skynet.requests import EntityAccepted
from libs.errors import ChasquiError

Answer = FilingAccepted | EntityAccepted | FilingRefused

MOST_DETAILS = 100
"""Problems told in one answer; more are counted only."""

RETRIABLE: Final = frozenset(
    {"bus_unavailable", "opsdb_unavailable", "opsdb_behind", "filing_busy", "sequence_conflict"}
)
"""Codes that pass: the same request may be sent again as it is."""

_STATUS: Final = {
    "not_json": 400,
    "not_found": 404,
    "observation_not_started": 404,
    "task_unknown": 404,
    "method_not_allowed": 405,
    "observation_differs": 409,
    "observation_finished": 409,
    "file_filed_elsewhere": 409,
    "file_already_packaged": 409,
    "task_differs": 409,
    "task_step_illegal": 409,
    "progress_falls": 409,
    "asset_differs": 409,
    "number_taken": 409,
    "request_too_large": 413,
    "unexpected_error": 500,
    **dict.fromkeys(RETRIABLE, 503),
}
_INVALID = 422


def refused(problems: Sequence[Problem]) -> FilingRefused:
    """One answer for all problems of a request: the first one in front, all of them in `details`.

    Args:
        problems: At least one.
    """
    first = problems[0]
    if len(problems) == 1:
        return FilingRefused(problem=first)
    more = f" (the first of {len(problems)} problems, see details)"
    return FilingRefused(
        problem=first.model_copy(update={"reason": first.reason + more}),
        details=tuple(problems[:MOST_DETAILS]),
    )


def refused_for(error: ChasquiError) -> FilingRefused:
    """The answer for an error that ended a request."""
    return FilingRefused(problem=error.problem)


def unexpected() -> FilingRefused:
    """The answer for an error nobody planned for."""
    problem = Problem(
        code="unexpected_error",
        reason="the request met an error that nobody planned for",
        remedy="Send it again; if it fails again, report it with the filing service's log of this minute.",
    )
    return FilingRefused(problem=problem)


def status_of(answer: Answer, *, new: int) -> int:
    """The HTTP status of an answer.

    Args:
        answer: What is answered.
        new: The status of an accepted request that was not made before; a repeated one has 200.
    """
    if isinstance(answer, FilingAccepted | EntityAccepted):
        return 200 if answer.repeated else new
    return _STATUS.get(answer.problem.code, _INVALID)
