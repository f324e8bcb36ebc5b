"""Circuit breakers."""

from typing import Annotated

import typer

from commands.line.options import JsonOption, SiteOption, WorkdirOption
from commands.line.performing import perform, workdir_of

breaker_app = typer.Typer(
    help="Circuit breakers: what is given a rest because it failed again and again.", no_args_is_help=True
)


@breaker_app.command("list")
def breaker_list(site: SiteOption = None, workdir: WorkdirOption = None, as_json: JsonOption = False) -> None:
    """Show which storage locations and routes are given a rest, why, and what to do about it.

    After three failures in a row the breaker of a location or route opens: work for it waits, without using up
    its attempts, and everything else goes on. After a pause one instance tries for all (half_open); if it works,
    the breaker closes by itself.

    chasqui breaker list --site cologne
    """
    from commands.breaker import show

    perform(show(workdir_of(workdir), site=site, as_json=as_json))


@breaker_app.command("close")
def breaker_close(
    name: Annotated[str, typer.Argument(help="As chasqui breaker list shows it.")],
    site: Annotated[str, typer.Option("--site", help="The site whose breaker it is.")],
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close a breaker by hand, after you have mended what it stands for; it would close by itself within minutes.

    chasqui breaker close location.cologne-archive --site cologne
    """
    from commands.breaker import close_one

    perform(close_one(workdir_of(workdir), site, name, as_json=as_json))
