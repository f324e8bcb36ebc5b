"""Deployments: the demo, all services of some sites, one more instance, servers of your own."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from commands.line.options import ConfigOption, JsonOption, WorkdirOption
from commands.line.performing import DEMO_CONFIG, EXAMPLES, perform, workdir_of

app = typer.Typer()


@app.command()
def demo(
    inputs: Annotated[
        Path, typer.Option("--input", help="The folder whose files the instrument writes: any tree.")
    ] = EXAMPLES,
    workdir: WorkdirOption = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Carry observations from an instrument to the archive and back, on this machine.

    Two sites, chile and cologne, on real servers that are started for it: an instrument writes the files of a
    folder and files them as observations (one for each top-level folder); you see each go through every
    station; then everything is staged back from the archive and compared byte for byte, and SOURCE and BUFFER
    are cleared. The work directory is emptied when the demo begins.
    """
    from commands.demo.journey import run

    console = Console(stderr=as_json)
    perform(run(DEMO_CONFIG, inputs, workdir_of(workdir), console, keep=keep, as_json=as_json))


@app.command()
def up(
    config: ConfigOption = None,
    workdir: WorkdirOption = None,
    site: Annotated[list[str] | None, typer.Option(help="Only this site; may be repeated.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Run all services of one or more sites on this machine, until Ctrl-C.

    Servers that the deployment calls embedded are started, too, on the data they left when they last ran.
    A service that dies is started again. It prints where each site takes files and shows its live page; every
    other command finds it by --workdir.

    chasqui up                                  the demo's two sites

    chasqui up my-observatory.yaml --site chile
    """
    from commands.up import run

    perform(
        run(
            (config or DEMO_CONFIG).absolute(),
            workdir_of(workdir),
            site or [],
            Console(stderr=True),
            as_json=as_json,
        )
    )


@app.command()
def run(
    service: Annotated[str, typer.Argument(help="The service, for example packager.")],
    site: Annotated[str, typer.Option(help="The site it runs at.")],
    config: Annotated[
        Path | None,
        typer.Option(help="A deployment of real servers; without it, a running chasqui up is joined."),
    ] = None,
    workdir: WorkdirOption = None,
) -> None:
    """Run one more instance of one service, in the foreground, until Ctrl-C.

    It shares the work with the instances that run already. Secrets are taken from the running chasqui up or,
    with --config, from the environment (see docs/configuration.md).

    chasqui run packager --site chile
    """
    from commands.run import run as run_service

    run_service(service, site, config, workdir_of(workdir))


@app.command()
def provision(
    site: Annotated[str, typer.Option(help="The site.")],
    config: Annotated[Path, typer.Option(help="A deployment of real servers.")],
    workdir: WorkdirOption = None,
) -> None:
    """Make a site's tables, streams, consumers and buckets on servers of your own; repeat it at will."""
    from commands.run import provision_site

    perform(provision_site(site, config, workdir_of(workdir), Console(stderr=True)))
