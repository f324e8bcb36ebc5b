"""Looking: how sites are, what something waits for, how far the archives were read again."""

from typing import Annotated

import typer

from commands.line.options import JsonOption, SiteOption, WorkdirOption
from commands.line.performing import perform, workdir_of

app = typer.Typer()


@app.command()
def status(
    site: SiteOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until Ctrl-C.")] = False,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how each running site is: services, queues, work by state, disks, the oldest unarchived file.

    The exit status is 0 if every site answers, 1 otherwise.
    """
    from commands.status import status as show

    perform(show(workdir_of(workdir), site=site, as_json=as_json, watch=watch))


@app.command()
def explain(
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Of an observation, file, package, bundle, transfer, job, copy, association, task, asset or camera.",
        ),
    ],
    site: SiteOption = None,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell where something is, why, and what it waits for.

    With its copies, its problem and what to do about it, and everything that happened to it. Ids are what
    chasqui file, simulate, stage and the live page show; an association's is IPPPSSAA0. Of tasks, assets and
    cameras of a telescope network it is the uid; of a camera you are told when it is cooled, and why.

    chasqui explain J8C0A1010
    """
    from commands.explain import explain as show

    perform(show(workdir_of(workdir), wanted, site=site, as_json=as_json))


@app.command()
def scrub(
    packages: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PACKAGE]...", help="Ids or file names; all archives if left out."),
    ] = None,
    site: SiteOption = None,
    location: Annotated[str | None, typer.Option("--location", help="Look at this archive only.")] = None,
    now: Annotated[
        bool, typer.Option("--now", help="Read the packages now, in full and as fast as it goes.")
    ] = False,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Report how far the archives were read again, and what is damaged; or read some packages now.

    Every archive copy is read by bytes now and then, at the rate that the deployment file allows, by itself. A
    damaged one is mended from a good one, if there is one. The exit status is 1 if copies are damaged, overdue, or
    could not be read, 0 otherwise.

    chasqui scrub                                             coverage, oldest reading, damage

    chasqui scrub camera-main-20260301T040506-1a2b3c4d-001.tar --now
    """
    from commands.scrub import Wanted
    from commands.scrub import scrub as run

    wanted = Wanted(tuple(packages or ()), site, location, now)
    perform(run(workdir_of(workdir), wanted, as_json=as_json))
