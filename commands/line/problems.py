"""How an error is shown: to a person with its remedy, to a script as JSON."""

import json

import typer
from rich.console import Console
from rich.text import Text

from contracts.problems import Problem


def usage_problem(error: typer.TyperException) -> Problem:
    """What was wrong with the words."""
    return Problem(
        code="usage",
        reason=error.format_message(),
        remedy="Put --help behind the command to see how it is used.",
    )


def show(problem: Problem, *, as_json: bool) -> None:
    """To a person on standard error, to a script on standard output."""
    print_error(problem, as_json=as_json)
    console = Console(stderr=True)
    console.print(Text(f"Error: {problem.reason}", style="bold red"), soft_wrap=True)
    console.print(Text(f"Remedy: {problem.remedy}"), soft_wrap=True)
    console.print(Text(f"({problem.code})", style="dim"))


def print_error(problem: Problem, *, as_json: bool) -> None:
    """The JSON that takes the place of an answer."""
    if as_json:
        print(json.dumps({"error": problem.model_dump()}))
