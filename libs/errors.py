"""Every error that Chasqui raises on purpose, by who decides what comes next.

    ChasquiError
    ├── Retriable    the same input may succeed later: wait, then try again
    │   └── Postponed    nothing was tried yet: wait for so long, which counts as no attempt
    ├── Permanent    the same input will fail again: record it, a person decides
    ├── Poison       the input itself cannot be read: keep its bytes aside
    └── UserError    the caller's words are wrong: told to the caller, nothing recorded

Each carries a `Problem` (code, reason, remedy), which the CLI, the API and the dead letters show.
"""

from contracts.problems import Problem


class ChasquiError(Exception):
    """The root. Raise one of the four kinds below instead.

    Args:
        code: Stable name of the fault, lower snake case.
        reason: What was found.
        remedy: What to do about it.
    """

    def __init__(self, code: str, reason: str, remedy: str) -> None:
        super().__init__(f"{reason} ({code}). {remedy}")
        self.problem = Problem(code=code, reason=reason, remedy=remedy)


class Retriable(ChasquiError):
    """A server is away, a disk is full, a projection lags: the same input may succeed later."""


class Postponed(Retriable):
    """Nothing was tried, because it is known to be of no use now (an open circuit breaker): later.

    The message comes again after `delay_s` seconds, and no attempt is burnt.
    """

    def __init__(self, code: str, reason: str, remedy: str, *, delay_s: float) -> None:
        super().__init__(code, reason, remedy)
        self.delay_s = delay_s


class Permanent(ChasquiError):
    """A file is damaged, a rule is broken: trying again cannot help."""


class Poison(ChasquiError):
    """A message that is no JSON, of unknown type or version, or too large."""


class UserError(ChasquiError):
    """A command, request or configuration that cannot be followed as given."""
