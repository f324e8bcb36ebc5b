"""From the deployment file to a checked `Deployment`, or to everything that is wrong with the file."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from libs.sites.checking import check_deployment
from libs.sites.document import Document, Malformed, parse
from libs.sites.findings import ConfigError, Finding, Issue, Severity, dotted, error
from libs.sites.models import Deployment, DiskLocation, Location
from libs.sites.shape import issue_of

MAX_BYTES = 1_000_000
"""A larger file is no deployment."""


@dataclass(frozen=True, slots=True)
class Report:
    """All that can be said about one deployment file.

    Attributes:
        file: As the caller named it.
        text: Its content; empty if it could not be read.
        deployment: With absolute paths; None if the file has errors of form.
        findings: By line.
    """

    file: str
    text: str
    deployment: Deployment | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings with which nothing may start."""
        return tuple(found for found in self.findings if found.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings with which everything starts."""
        return tuple(found for found in self.findings if found.severity is Severity.WARNING)


def load(path: Path, base: Path | None = None) -> Deployment:
    """Read, validate and check a deployment file.

    Args:
        path: The YAML file.
        base: Where relative paths of disk locations begin; the file's own folder if left out.

    Raises:
        ConfigError: The file cannot be used; its findings say all that is wrong.
    """
    report = examine(path, base)
    if report.errors or report.deployment is None:
        raise ConfigError(report.errors)
    return report.deployment


def examine(path: Path, base: Path | None = None, more: Iterable[Issue] = ()) -> Report:
    """Read, validate and check a deployment file, and tell everything about it; see `load`.

    Args:
        path: The YAML file.
        base: Where relative paths of disk locations begin.
        more: Issues found elsewhere, to be given their lines.
    """
    file = str(path)
    text = read_text(path)
    if isinstance(text, Issue):
        return Report(file, "", None, (finding_at(file, text, 1, 1),))
    try:
        document = parse(text)
    except Malformed as wrong:
        issue = error((), "yaml_invalid", str(wrong), "Correct the line, or the one above it.")
        return Report(file, text, None, (finding_at(file, issue, wrong.line, wrong.column),))
    deployment, issues = judge(document, (base or path.parent).absolute())
    return Report(file, text, deployment, located(file, document, (*issues, *more)))


def judge(document: Document, base: Path) -> tuple[Deployment | None, tuple[Issue, ...]]:
    """The deployment a document describes, if its form is right, and every issue of form and sense."""
    if document.data is None and document.issues:
        return None, document.issues
    if not isinstance(document.data, dict):
        remedy = "Begin with version: 1, observatory:, telescope: and sites:."
        return None, (error((), "not_a_mapping", "the file holds no keys and values", remedy),)
    try:
        deployment = anchored(Deployment.model_validate(document.data), base)
    except ValidationError as wrong:
        return None, (*document.issues, *(issue_of(x) for x in wrong.errors(include_url=False)))
    return deployment, (*document.issues, *check_deployment(deployment))


def located(file: str, document: Document, issues: Iterable[Issue]) -> tuple[Finding, ...]:
    """Issues with their lines and columns, in the order of the file."""
    found = [finding_at(file, issue, *document.position(issue.path, issue.part)) for issue in issues]
    return tuple(sorted(found, key=lambda x: (x.line, x.column, x.where, x.problem.code)))


def anchored(deployment: Deployment, base: Path) -> Deployment:
    """The same deployment with every disk location's path absolute, beginning at `base` where relative."""

    def move(location: Location) -> Location:
        if not isinstance(location, DiskLocation):
            return location
        return location.model_copy(update={"path": base / location.path})

    sites = {
        name: site.model_copy(update={"locations": {n: move(x) for n, x in site.locations.items()}})
        for name, site in deployment.sites.items()
    }
    return deployment.model_copy(update={"sites": sites})


def read_text(path: Path) -> str | Issue:
    """The text of a file, or why it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as wrong:
        reason = f"the file cannot be read: {wrong.strerror}"
        return error((), "file_unreadable", reason, "Check its name and permissions.")
    if len(content) > MAX_BYTES:
        return error(
            (), "file_too_large", f"the file is larger than {MAX_BYTES} bytes", "Name the right file."
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = content.count(b"\n", 0, wrong.start) + 1
        return error((), "file_not_utf8", f"the byte on line {line} is no UTF-8", "Save the file as UTF-8.")


def finding_at(file: str, issue: Issue, line: int, column: int) -> Finding:
    """An issue at a place in a file."""
    return Finding(file, line, column, dotted(issue.path), issue.problem, issue.severity)
