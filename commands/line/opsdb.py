"""The ops-db as a whole."""

from typing import Annotated

import typer

from commands.line.options import JsonOption, ServersOption, SiteOption, WorkdirOption
from commands.line.performing import perform, workdir_of

opsdb_app = typer.Typer(
    help="Work on the ops-db as a whole: prove that it equals the log.", no_args_is_help=True
)


@opsdb_app.command("rebuild")
def opsdb_rebuild(
    site: SiteOption = None,
    config: ServersOption = None,
    keep_old: Annotated[
        bool,
        typer.Option("--keep-old", help="Leave the old tables in a schema of their own, whose name is told."),
    ] = False,
    patience: Annotated[
        float,
        typer.Option(min=0, help="Seconds to try to exchange tables that somebody uses without a pause."),
    ] = 600.0,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the ops-db anew: fold the log from its first event, and put the result in the place of the live tables.

    The site works on. The log is folded beside the live tables, which takes as much room as they do; then both are
    exchanged in one transaction, for which readers and the projector wait a fraction of a second. Nothing is lost
    or applied twice. Killed at any point, the ops-db is the old one or the new one, and the next run removes the
    rest.

    Use it when chasqui opsdb verify finds differences, when somebody wrote to the tables, or after an upgrade whose
    notes ask for it: tables of an older release are made those of this one.

    chasqui opsdb rebuild                               every running site

    chasqui opsdb rebuild --site chile --keep-old       one, keeping what it had
    """
    from commands.opsdb import Where, rebuild

    perform(
        rebuild(Where(workdir_of(workdir), config, site), keep=keep_old, patience_s=patience, as_json=as_json)
    )


@opsdb_app.command("verify")
def opsdb_verify(
    site: SiteOption = None,
    config: ServersOption = None,
    samples: Annotated[
        int,
        typer.Option(min=0, help="How many differing rows of each table to show; the others are counted."),
    ] = 5,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that the ops-db equals the log: fold the log again beside it, and compare every table row by row.

    The site works on meanwhile. What is folded beside the tables takes as much room as they do until it is over;
    it is removed even if this was killed, by the next run.

    The exit status is 0 if every row is equal. It is 1 if not: then each table that differs is shown with rows that
    are missing, extra or changed, and the column's value in the ops-db and as the log has it.

    chasqui opsdb verify                            every running site

    chasqui opsdb verify --site chile --json        one, for a script
    """
    from commands.opsdb import Where, verify

    perform(verify(Where(workdir_of(workdir), config, site), samples=samples, as_json=as_json))
