"""Reference data: what an observatory consists of, plans to observe, and who works there."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from commands.line.options import DryRunOption, JsonOption, ServersOption, WorkdirOption
from commands.line.performing import perform, workdir_of

catalog_app = typer.Typer(
    help="Register and look at reference data: chasqui catalog apply, show.", no_args_is_help=True
)


@catalog_app.command("apply")
def catalog_apply(
    file: Annotated[Path, typer.Argument(help="The catalog file (YAML): docs/catalog.md.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")] = False,
    dry_run: DryRunOption = False,
    reason: Annotated[str, typer.Option("--reason", help="Why: the log keeps it.")] = "",
    site: Annotated[
        str | None, typer.Option("--site", help="Tell it at this site; the others hear of it.")
    ] = None,
    config: ServersOption = None,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register reference data, after showing what changes; a second time it says that nothing does.

    What the file does not name stays as it is. Nothing is deleted: what is no longer used is told as
    'retired: true'. The exit status is 0 if everything is registered, 1 if you said no, 2 if the file has errors.

    chasqui catalog apply examples/catalog.yaml --dry-run

    chasqui catalog apply examples/catalog.yaml --reason "the semester begins"
    """
    from commands.catalog import Doing, Wanted, apply, not_interactive
    from commands.reaching import sites_of

    doing = Doing.NOT_AT_ALL if dry_run else Doing.NOW if yes else Doing.ASKED
    asking = not as_json and sys.stdin.isatty()
    place = sites_of(workdir_of(workdir), site, config)[0]
    perform(
        apply(
            place,
            Wanted(file, doing, reason),
            typer.confirm if asking else not_interactive,
            as_json=as_json,
            console=Console(),
        )
    )


@catalog_app.command("show")
def catalog_show(
    section: Annotated[
        str | None, typer.Argument(help="Only this section, such as obs_units.", show_default=False)
    ] = None,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="As a file that apply takes.")] = False,
    site: Annotated[str | None, typer.Option("--site", help="As this site knows it.")] = None,
    config: ServersOption = None,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is registered, and what observations speak of that is not.

    chasqui catalog show obs_units

    chasqui catalog show --yaml > catalog.yaml
    """
    from commands.catalog_showing import show
    from commands.reaching import sites_of

    place = sites_of(workdir_of(workdir), site, config)[0]
    perform(show(place, section, as_yaml=as_yaml, as_json=as_json))
