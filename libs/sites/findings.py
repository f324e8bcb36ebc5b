"""What is wrong with a deployment file: where, how badly, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from contracts.problems import Problem
from libs.errors import UserError

KeyPath = tuple[str | int, ...]
"""The keys and list positions from the top of the file to one value."""


class Severity(StrEnum):
    """Whether a deployment can be used all the same."""

    ERROR = "error"
    """It cannot: nothing is started with it."""
    WARNING = "warning"
    """It can, but probably does not do what was meant."""


class Part(StrEnum):
    """Which half of ``key: value`` a finding is about."""

    KEY = "key"
    """The key: it is unknown, badly named, or something below it is missing."""
    VALUE = "value"
    """The value."""


@dataclass(frozen=True, slots=True)
class Issue:
    """A problem at a key, before anybody looked up its line.

    Attributes:
        path: From the top of the file; () is the whole file.
        part: What the line and column shall point at.
    """

    path: KeyPath
    problem: Problem
    severity: Severity = Severity.ERROR
    part: Part = Part.VALUE


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem in a file, as shown to a person.

    Attributes:
        file: As the caller named it.
        line: Counts from 1.
        column: Counts from 1.
        where: The dotted key (``sites.chile.locations.chile-buffer.path``); empty for the whole file.
    """

    file: str
    line: int
    column: int
    where: str
    problem: Problem
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: {self.severity}: "
        key = f"{self.where}: " if self.where else ""
        return f"{place}{key}{self.problem.reason} ({self.problem.code}). {self.problem.remedy}"


class ConfigError(UserError):
    """A deployment file that cannot be used, with everything that is wrong with it.

    Args:
        findings: At least one, in the order of their lines.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        more = f"; {len(findings) - 1} more" if len(findings) > 1 else ""
        super().__init__("config_invalid", f"{findings[0]}{more}", "Run: chasqui config check FILE")
        self.findings = tuple(findings)

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))


def error(path: KeyPath, code: str, reason: str, remedy: str, part: Part = Part.VALUE) -> Issue:
    """An issue with which nothing may start."""
    return Issue(path, Problem(code=code, reason=reason, remedy=remedy), Severity.ERROR, part)


def warning(path: KeyPath, code: str, reason: str, remedy: str, part: Part = Part.VALUE) -> Issue:
    """An issue with which everything starts."""
    return Issue(path, Problem(code=code, reason=reason, remedy=remedy), Severity.WARNING, part)


def dotted(path: KeyPath) -> str:
    """A key path in one word: ``instruments.sky-camera.modules[0]``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")
