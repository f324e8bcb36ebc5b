"""``chasqui config check``: everything that is wrong with a deployment file, with lines and remedies."""

from pathlib import Path

from rich.console import Console
from rich.text import Text

from commands.wording import many
from libs.sites.checking import check_running
from libs.sites.findings import Finding, Severity, error
from libs.sites.loading import Report, examine
from libs.sites.models import Deployment

_COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow"}


def check(path: Path, base: Path | None = None, site: str | None = None) -> Report:
    """Look through a deployment file.

    Args:
        path: The YAML file.
        base: Where relative paths of disk locations begin; the file's own folder if left out.
        site: Also look at this machine's disks, as that site would when it starts.
    """
    report = examine(path, base)
    if site is None or report.deployment is None:
        return report
    if site not in report.deployment.sites:
        remedy = f"Choose one of: {', '.join(report.deployment.sites)}."
        return examine(path, base, (error(("sites",), "site_unknown", f"there is no site {site}", remedy),))
    return examine(path, base, check_running(report.deployment, site))


def render(report: Report, console: Console) -> None:
    """Show a report to a person: each finding with its line, then the sum."""
    for found in report.findings:
        render_finding(found, report.text.splitlines(), console)
    console.print(_summary(report), soft_wrap=True)


def as_json(report: Report) -> dict[str, object]:
    """A report as one JSON object."""
    return {
        "file": report.file,
        "valid": not report.errors,
        "errors": len(report.errors),
        "warnings": len(report.warnings),
        "findings": [
            {
                "severity": found.severity.value,
                "line": found.line,
                "column": found.column,
                "where": found.where,
                **found.problem.model_dump(),
            }
            for found in report.findings
        ],
    }


def exit_code(report: Report) -> int:
    """0 if the file can be used, warnings or not; 1 otherwise."""
    return 1 if report.errors else 0


def render_finding(found: Finding, lines: list[str], console: Console) -> None:
    """Show one finding, with the line that it is about and a mark below it."""
    colour = _COLOURS[found.severity]
    head = Text.assemble(
        (f"{found.file}:{found.line}:{found.column}: ", "bold"),
        (f"{found.severity.value} {found.problem.code}: ", colour),
        f"{found.where}: " if found.where else "",
        found.problem.reason,
    )
    console.print(head, soft_wrap=True)
    if found.line <= len(lines):
        number = f"{found.line:>5} | "
        console.print(Text(f"{number}{lines[found.line - 1]}"), soft_wrap=True)
        console.print(Text(f"{'':>5} | {'':>{found.column - 1}}^", style=colour), soft_wrap=True)
    console.print(Text(f"      {found.problem.remedy}", style="dim"), soft_wrap=True)


def _summary(report: Report) -> Text:
    counts = f"{many(len(report.errors), 'error')}, {many(len(report.warnings), 'warning')}"
    if report.deployment is None or report.errors:
        return Text(f"{report.file} cannot be used: {counts}", style="bold red")
    return Text(f"{report.file} can be used: {_contents(report.deployment)}; {counts}", style="bold green")


def _contents(deployment: Deployment) -> str:
    return ", ".join(
        (
            many(len(deployment.sites), "site"),
            many(len(list(deployment.locations())), "location"),
            many(len(deployment.instruments), "instrument"),
            many(len(deployment.routes), "route"),
        )
    )
