"""Dead letters, and events that are sent again."""

from typing import Annotated

import typer
from rich.console import Console

from commands.line.options import (
    AllOption,
    DryRunOption,
    JsonOption,
    LetterCodeOption,
    LetterEntityOption,
    LetterFailureOption,
    LetterHandlerOption,
    LettersArgument,
    LetterServiceOption,
    LetterTypeOption,
    ServersOption,
    SinceOption,
    SiteOption,
    UntilOption,
    WorkdirOption,
)
from commands.line.performing import perform, workdir_of

dead_app = typer.Typer(
    help="Dead letters: messages that could not be handled. Look at them, have them handled again, or drop them.",
    no_args_is_help=True,
)
app = typer.Typer()


@dead_app.command("list")
def dead_list(
    site: SiteOption = None,
    service: LetterServiceOption = None,
    handler: LetterHandlerOption = None,
    code: LetterCodeOption = None,
    failure: LetterFailureOption = None,
    type_: LetterTypeOption = None,
    entity: LetterEntityOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[int, typer.Option(min=1, help="So many of them at most, the oldest first.")] = 100,
    config: ServersOption = None,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the messages that could not be handled: where, by whom, why.

    A message becomes a dead letter when its handler says that trying again cannot help, when what should pass by
    itself did not within the attempts there are, or when it cannot be read. It is kept whole, and holds nobody up.

    chasqui dead list --code disk_full --since 2d
    """
    from commands.dead import Filters, show_list
    from commands.reaching import sites_of

    filters = Filters(service, handler, code, failure, type_, entity, since, until)
    places = sites_of(workdir_of(workdir), site, config)
    perform(show_list(places, filters, limit=limit, as_json=as_json, console=Console()))


@dead_app.command("show")
def dead_show(
    letter: Annotated[str, typer.Argument(help="The id of a letter, or enough of its beginning.")],
    body: Annotated[
        bool,
        typer.Option("--body", help="Write the bytes of the message to standard output, and nothing else."),
    ] = False,
    site: SiteOption = None,
    config: ServersOption = None,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything about a dead letter: reason, remedy, origin, headers, body, and what became of it before.

    chasqui dead show 5b0e7c1e
    """
    from commands.dead import show_one
    from commands.reaching import sites_of

    places = sites_of(workdir_of(workdir), site, config)
    perform(show_one(places, letter, body=body, as_json=as_json, console=Console()))


@dead_app.command("retry")
def dead_retry(
    letters: LettersArgument = None,
    site: SiteOption = None,
    service: LetterServiceOption = None,
    handler: LetterHandlerOption = None,
    code: LetterCodeOption = None,
    failure: LetterFailureOption = None,
    type_: LetterTypeOption = None,
    entity: LetterEntityOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    everything: AllOption = False,
    dry_run: DryRunOption = False,
    config: ServersOption = None,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have messages handled again, after you have mended what kept them: each by the handler that gave it up.

    Name letters, or choose them by filters; all at once only with --all. A message that fails again is buried again,
    and remembers how often. What is handled well leaves nothing behind but the log's word of it.

    chasqui dead retry 5b0e7c1e 77ab01f3

    chasqui dead retry --service archiver --code object_differs --dry-run

    The exit status is 1 if one of them cannot be sent again; the others are.
    """
    from commands.dead import Filters
    from commands.dead_deciding import Choice, Doing, retry
    from commands.reaching import sites_of

    filters = Filters(service, handler, code, failure, type_, entity, since, until)
    choice, doing = Choice(tuple(letters or ()), filters, everything), Doing.NOT_YET if dry_run else Doing.NOW
    places = sites_of(workdir_of(workdir), site, config)
    perform(retry(places, choice, doing, as_json=as_json, console=Console()))


@dead_app.command("drop")
def dead_drop(
    reason: Annotated[
        str, typer.Option("--reason", help="Why it need not be handled; the log keeps it for ever.")
    ],
    letters: LettersArgument = None,
    site: SiteOption = None,
    service: LetterServiceOption = None,
    handler: LetterHandlerOption = None,
    code: LetterCodeOption = None,
    failure: LetterFailureOption = None,
    type_: LetterTypeOption = None,
    entity: LetterEntityOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    everything: AllOption = False,
    dry_run: DryRunOption = False,
    config: ServersOption = None,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide that messages need not be handled any more. The event itself stays in the log, and so does your reason.

    chasqui dead drop 5b0e7c1e --reason "the observation was taken again"

    chasqui dead drop --entity 8c2f0a52-... --reason "a test" --dry-run
    """
    from commands.dead import Filters
    from commands.dead_deciding import Choice, Doing, drop
    from commands.reaching import sites_of

    filters = Filters(service, handler, code, failure, type_, entity, since, until)
    choice, doing = Choice(tuple(letters or ()), filters, everything), Doing.NOT_YET if dry_run else Doing.NOW
    places = sites_of(workdir_of(workdir), site, config)
    perform(drop(places, choice, doing, reason=reason, as_json=as_json, console=Console()))


@app.command("replay")
def replay_events(
    service: Annotated[str, typer.Option("--service", help="Who is to handle them again.")],
    site: Annotated[str, typer.Option("--site", help="Where that service runs.")],
    begin: Annotated[
        str,
        typer.Option(
            "--from", help="From here: 2026-03-01T04:00, 2h for two hours ago, or EVENTS_chile:100."
        ),
    ],
    end: Annotated[
        str | None, typer.Option("--to", help="Up to here, in the same words; to the end if left out.")
    ] = None,
    handler: Annotated[str | None, typer.Option("--handler", help="This handler of it alone.")] = None,
    type_: LetterTypeOption = None,
    entity: LetterEntityOption = None,
    match: Annotated[
        list[str] | None,
        typer.Option("--match", help="Events with this value: package.package_id=8c2f…; may be repeated."),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option("--run", help="Go on with a run that was interrupted: nothing is sent twice."),
    ] = None,
    dry_run: DryRunOption = False,
    config: ServersOption = None,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send events of the log again to one service, and to nobody else.

    For work that was lost outside of the log, or done by a version that had a defect. Look first, with --dry-run:
    it tells how many events are meant, what they led to before, and how many lie among the dead letters. What was
    done already is recognised and not done twice. Live work goes first.

    chasqui replay --service renderer --site chile --from 2d --dry-run

    chasqui replay --service archiver --site cologne --from EVENTS_cologne:1200 --to EVENTS_cologne:1300
    """
    from commands.dead_deciding import Doing
    from commands.reaching import sites_of
    from commands.replay import Wanted, replay

    wanted = Wanted(service, handler, begin, end, type_, entity, tuple(match or ()), run)
    (place,) = sites_of(workdir_of(workdir), site, config)
    doing = Doing.NOT_YET if dry_run else Doing.NOW
    perform(replay(place, wanted, doing, as_json=as_json, console=Console()))
