"""Deletion: what would go, and what is kept from it."""

from typing import Annotated

import typer

from commands.line.options import JsonOption, SiteOption, WorkdirOption
from commands.line.performing import perform, workdir_of

janitor_app = typer.Typer(
    help="Deletion: what would go, what not, and why: chasqui janitor plan.", no_args_is_help=True
)
hold_app = typer.Typer(
    help="Holds: what is kept from deletion, whatever retention and full disks say.", no_args_is_help=True
)


@janitor_app.command("plan")
def janitor_plan(
    site: SiteOption = None,
    location: Annotated[str | None, typer.Option(help="Look at this location only.")] = None,
    ask: Annotated[
        bool,
        typer.Option(
            "--ask", help="Ask the archives and look at each file, too, as is done before a deletion; slower."
        ),
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="List every copy.")] = False,
    reason: Annotated[
        list[str] | None,
        typer.Option(help="List the copies that stay for this reason, or that go (goes); may be repeated."),
    ] = None,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the janitor would delete now, what not, and why; nothing is touched.

    By location: copies and bytes that would go, what stays by its reason, when its age lets it go (or its staging job
    expires) next, and how full the disk is now and would be afterwards. The decisions are the janitor's own; so is
    whether it has begun to clear a disk that was too full, and goes on down to low water.

    chasqui janitor plan --location chile-source --reason held
    """
    from commands.janitor import Question, plan

    question = Question(site, location, ask, everything, tuple(reason or ()))
    perform(plan(workdir_of(workdir), question, as_json=as_json))


@hold_app.command("place")
def hold_place(
    reason: Annotated[
        str, typer.Option("--reason", help="Why: whoever finds it later must be able to decide.")
    ],
    location: Annotated[str | None, typer.Option(help="Everything at this data location.")] = None,
    instrument: Annotated[str | None, typer.Option(help="Everything of this instrument.")] = None,
    observation: Annotated[str | None, typer.Option(help="Everything of this observation (its id).")] = None,
    package: Annotated[str | None, typer.Option(help="This package and the files in it (its id).")] = None,
    file: Annotated[str | None, typer.Option(help="This file and the package it is in (its id).")] = None,
    site: Annotated[str | None, typer.Option("--site", help="Place it at this site.")] = None,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep copies from deletion until the hold is released, however old they are and however full the disk is.

    It is an event: every site keeps what it names as soon as the event is there, and tells when it is, at once or
    after the link was mended. A site that is cut off does not know of it yet, and goes on deleting what its
    retention allows: place the hold there, too (--site), if you can reach it.

    chasqui hold place --instrument sky-camera --reason "flat fields are being redone"
    """
    from commands.hold import Named, place

    named = Named(location, instrument, observation, package, file)
    perform(place(workdir_of(workdir), named, reason, site=site, as_json=as_json))


@hold_app.command("release")
def hold_release(
    hold: Annotated[str, typer.Argument(help="The id of the hold, as chasqui hold list shows it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it is no longer needed.")],
    site: Annotated[str | None, typer.Option("--site", help="Release it at this site.")] = None,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let retention decide again; another hold on the same copies still keeps them.

    A site that is cut off keeps them until it hears of it.

    chasqui hold release 5b0e7c1e-... --reason "they are done"
    """
    from commands.hold import release

    perform(release(workdir_of(workdir), hold, reason, site=site, as_json=as_json))


@hold_app.command("list")
def hold_list(
    site: SiteOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Those that were released, too.")] = False,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is held, since when, by whom and why, and which sites know of it.

    chasqui hold list --all
    """
    from commands.hold import show

    perform(show(workdir_of(workdir), site=site, everything=everything, as_json=as_json))
