"""Deployment files."""

import json
from typing import Annotated

import typer
from rich.console import Console

from commands.line.options import ConfigOption, JsonOption, WorkdirOption
from commands.line.performing import DEMO_CONFIG, workdir_of

config_app = typer.Typer(help="Look at a deployment file: chasqui config check.", no_args_is_help=True)


@config_app.command("check")
def config_check(
    config: ConfigOption = None,
    site: Annotated[str | None, typer.Option(help="Also look at this machine's disks, as that site.")] = None,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell everything that is wrong with a deployment file, by line, with remedies.

    The exit status is 0 if the file can be used, 1 otherwise.
    """
    from commands.config import as_json as report_as_json
    from commands.config import check, exit_code, render

    report = check(config or DEMO_CONFIG, workdir_of(workdir).path, site)
    if as_json:
        print(json.dumps(report_as_json(report)))
    else:
        render(report, Console())
    raise typer.Exit(exit_code(report))
