"""The event log in the archives."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from commands.line.options import JsonOption, SitesOption, StoppedConfigOption, StreamsOption, WorkdirOption
from commands.line.performing import DEMO_CONFIG, perform, workdir_of

events_app = typer.Typer(
    help="The event log in the archive: chasqui events export, verify and restore.", no_args_is_help=True
)


@events_app.command("export")
def events_export(
    site: SitesOption = None,
    stream: StreamsOption = None,
    mend: Annotated[
        bool,
        typer.Option("--mend", help="Read everything back first; write anew what is damaged or missing."),
    ] = False,
    config: StoppedConfigOption = None,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put what the event log has gained into the archives of a site, at once.

    The archiver does the same every minute (log.every in the deployment file). A site with an archive keeps its
    own events and those of the other sites, as far as they have reached it. Each object holds a run of events and
    names the one before it by its checksum; each is read back before it counts. It may be killed and repeated.

    chasqui events export

    chasqui events export --site cologne --stream EVENTS_chile

    The exit status is 0 if the archives hold everything now, 1 otherwise.
    """
    from commands.events import Wanted, export

    wanted = Wanted((config or DEMO_CONFIG).absolute(), tuple(site or ()), tuple(stream or ()))
    perform(export(wanted, workdir_of(workdir), Console(stderr=True), mend=mend, as_json=as_json))


@events_app.command("verify")
def events_verify(
    stream: StreamsOption = None,
    config: StoppedConfigOption = None,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read the event log back from every archive: is it whole, and how far does it reach?

    It finds segments that are missing, altered, truncated, swapped or out of order, and a head that is missing or
    was set back. Nothing but the archives is asked. Embedded servers are started for it unless a chasqui up runs.

    chasqui events verify

    The exit status is 0 if every chain is whole, 1 otherwise.
    """
    from commands.events import Wanted, check

    wanted = Wanted((config or DEMO_CONFIG).absolute(), streams=tuple(stream or ()))
    perform(check(wanted, workdir_of(workdir), Console(stderr=True), as_json=as_json))


@events_app.command("restore")
def events_restore(
    site: SitesOption = None,
    without_mirrors: Annotated[
        bool,
        typer.Option("--without-mirrors", help="Do not ask other sites; what they alone know is lost."),
    ] = False,
    without_archive: Annotated[
        bool, typer.Option("--without-archive", help="Take everything from other sites' mirrors.")
    ] = False,
    as_far_as_whole: Annotated[
        bool,
        typer.Option("--as-far-as-whole", help="Take what is whole of a damaged archive, then mirrors."),
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(help="The deployment file that chasqui up runs; the demo's if left out."),
    ] = None,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring back the event log of a site whose NATS server has lost it; stop chasqui up first.

    The archive's chain is verified before the first event is written; what other sites know beyond it is taken
    from their mirrors. Events get the same sequences, subjects, headers and bodies. If it is killed, run it again.
    What a stream holds already must be the same, or nothing is written. Then chasqui up makes the ops-db anew.

    chasqui events restore --site chile

    chasqui up
    """
    from commands.restoring import Terms, restore, using
    from libs.eventlog.sources import Damage

    damage = Damage.CUT if as_far_as_whole else Damage.REFUSED
    terms = Terms(tuple(site or ()), using(mirrors=not without_mirrors, archives=not without_archive), damage)
    path = (config or DEMO_CONFIG).absolute()
    perform(restore(terms, path, workdir_of(workdir), Console(stderr=True), as_json=as_json))
