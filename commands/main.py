"""The `chasqui` command: parses words, calls one function of one module, shows errors with their remedy."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from contracts.problems import Problem
from libs.errors import ChasquiError, UserError
from libs.sites.workdir import Workdir

ROOT = Path(__file__).resolve().parent.parent
DEMO_CONFIG = ROOT / "deploy" / "demo.yaml"
EXAMPLES = ROOT / "examples" / "data"
INTERRUPTED = 130

app = typer.Typer(
    name="chasqui",
    help="Carries an observatory's data from the instrument's disk to the archive and to the scientist.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="Look at a deployment file: chasqui config check.", no_args_is_help=True)
app.add_typer(config_app, name="config")
opsdb_app = typer.Typer(
    help="Work on the ops-db as a whole: prove that it equals the log.", no_args_is_help=True
)
app.add_typer(opsdb_app, name="opsdb")
breaker_app = typer.Typer(
    help="Circuit breakers: what is given a rest because it failed again and again.", no_args_is_help=True
)
app.add_typer(breaker_app, name="breaker")
janitor_app = typer.Typer(
    help="Deletion: what would go, what not, and why: chasqui janitor plan.", no_args_is_help=True
)
app.add_typer(janitor_app, name="janitor")
hold_app = typer.Typer(
    help="Holds: what is kept from deletion, whatever retention and full disks say.", no_args_is_help=True
)
app.add_typer(hold_app, name="hold")
events_app = typer.Typer(
    help="The event log in the archive: chasqui events export, verify and restore.", no_args_is_help=True
)
app.add_typer(events_app, name="events")

dead_app = typer.Typer(
    help="Dead letters: messages that could not be handled. Look at them, have them handled again, or drop them.",
    no_args_is_help=True,
)
app.add_typer(dead_app, name="dead")

WorkdirOption = Annotated[
    Path | None,
    typer.Option(
        "--workdir",
        help="Where everything is kept, and how commands find each other. "
        "$CHASQUI_WORKDIR or ./.chasqui if left out.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts on standard output.")]
SiteOption = Annotated[str | None, typer.Option("--site", help="Ask this site only.")]
ServersOption = Annotated[
    Path | None,
    typer.Option(
        "--config", help="A deployment of real servers; without it, that of the running chasqui up is meant."
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Argument(help="The deployment file; the demo's if left out.", show_default=False),
]
StoppedConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="The deployment file, if no chasqui up runs; the demo's if left out."),
]
SitesOption = Annotated[list[str] | None, typer.Option("--site", help="Only this site; may be repeated.")]
StreamsOption = Annotated[
    list[str] | None, typer.Option("--stream", help="Only this stream, EVENTS_<site>; may be repeated.")
]


def main() -> None:
    """Run the command line; every error of ours becomes one message and an exit status.

    The status is 0 if it is done, 1 if it could not be done, 2 if the words or the configuration are wrong, 130 if
    it was interrupted, 143 if it was terminated.
    """
    as_json = "--json" in sys.argv
    try:
        status = app(standalone_mode=False)
    except ChasquiError as error:
        _show(error.problem, as_json=as_json)
        sys.exit(2 if isinstance(error, UserError) else 1)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(INTERRUPTED)
    except typer.TyperException as error:
        getattr(error, "show", lambda: None)()  # an error of usage knows its command's usage line
        _print_error(_usage_problem(error), as_json=as_json)
        sys.exit(2)
    sys.exit(status)  # standalone_mode=False makes typer.Exit a returned number


def _usage_problem(error: typer.TyperException) -> Problem:
    return Problem(
        code="usage",
        reason=error.format_message(),
        remedy="Put --help behind the command to see how it is used.",
    )


def _show(problem: Problem, *, as_json: bool) -> None:
    _print_error(problem, as_json=as_json)
    console = Console(stderr=True)
    console.print(Text(f"Error: {problem.reason}", style="bold red"), soft_wrap=True)
    console.print(Text(f"Remedy: {problem.remedy}"), soft_wrap=True)
    console.print(Text(f"({problem.code})", style="dim"))


def _print_error(problem: Problem, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"error": problem.model_dump()}))


def _run(work: Coroutine[Any, Any, int]) -> None:
    """Run to the end on a fast event loop; a non-zero result is the exit status.

    SIGTERM ends it as Ctrl-C does: what was started is stopped in order. Warnings go to standard error, whoever reads
    standard output as JSON; what has a log of its own says so itself.
    """
    import uvloop

    from libs.telemetry import logs

    logs.configure(level="WARNING", style=logs.LogFormat.CONSOLE)

    status = uvloop.run(_terminable(work))
    if status:
        raise typer.Exit(status)


async def _terminable(work: Coroutine[Any, Any, int]) -> int:
    """Cancel `work` at the first SIGINT or SIGTERM; whatever its clean-up then raises, that is how it ended."""
    told: list[signal.Signals] = []
    task = asyncio.current_task()

    def stop(number: signal.Signals) -> None:
        told.append(number)
        if task is not None and len(told) == 1:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    try:
        return await work
    except BaseException as error:
        if not told:
            raise
        if not isinstance(error, asyncio.CancelledError):
            Console(stderr=True).print(Text(f"while stopping: {error!r}", style="dim"), soft_wrap=True)
        return 128 + told[0]


def _workdir(chosen: Path | None) -> Workdir:
    return Workdir.find(chosen, os.environ)


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
    _run(run(DEMO_CONFIG, inputs, _workdir(workdir), console, keep=keep, as_json=as_json))


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

    _run(
        run(
            (config or DEMO_CONFIG).absolute(),
            _workdir(workdir),
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

    run_service(service, site, config, _workdir(workdir))


@app.command()
def provision(
    site: Annotated[str, typer.Option(help="The site.")],
    config: Annotated[Path, typer.Option(help="A deployment of real servers.")],
    workdir: WorkdirOption = None,
) -> None:
    """Make a site's tables, streams, consumers and buckets on servers of your own; repeat it at will."""
    from commands.run import provision_site

    _run(provision_site(site, config, _workdir(workdir), Console(stderr=True)))


@app.command()
def file(
    paths: Annotated[list[str], typer.Argument(help="Files, relative to the instrument's folder in SOURCE.")],
    instrument: Annotated[str, typer.Option(help="The instrument that wrote them.")],
    obs_unit: Annotated[str | None, typer.Option(help="The planned ObsUnit that was observed.")] = None,
    target: Annotated[str | None, typer.Option(help="What was observed.")] = None,
    ra: Annotated[float | None, typer.Option(help="Right ascension of the target, ICRS degrees.")] = None,
    dec: Annotated[float | None, typer.Option(help="Declination of the target, ICRS degrees.")] = None,
    module: Annotated[
        str | None, typer.Option(help="The module that wrote them; the instrument's first if left out.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until everything is archived.")] = False,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """File files that are on an instrument's disk as one observation.

    The observation is started, given these files, and finished. Paths are relative to the instrument's folder;
    files may still be growing, the scanner waits for them.

    chasqui file night/0001.fits night/0002.fits --instrument sky-camera --wait
    """
    from commands.file import Wanted, run

    wanted = Wanted(tuple(paths), instrument, obs_unit, target, ra, dec, module)
    _run(run(wanted, _workdir(workdir), Console(stderr=as_json), wait=wait, as_json=as_json))


@app.command()
def simulate(
    frames: Annotated[int, typer.Option(min=1, help="How many frames to take.")] = 10,
    rate: Annotated[float, typer.Option(min=0.001, help="Frames per second.")] = 1.0,
    size: Annotated[int, typer.Option(min=8, max=16384, help="Pixels along each side.")] = 512,
    per_observation: Annotated[int, typer.Option(min=1, help="Frames of one observation.")] = 5,
    instrument: Annotated[str, typer.Option(help="The instrument to play.")] = "sky-camera",
    seed: Annotated[int, typer.Option(help="The same seed gives the same sky.")] = 1,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play an instrument: write valid FITS frames with a WCS at a given rate, and file them.

    The frames are written into the instrument's folder in SOURCE and filed as one observation after the other.

    chasqui simulate --frames 20 --rate 5
    """
    from commands.simulate import Play, run

    play = Play(instrument, frames, rate, size, per_observation, seed)
    _run(run(play, _workdir(workdir), Console(stderr=as_json), as_json=as_json))


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

    _run(show(_workdir(workdir), site=site, as_json=as_json, watch=watch))


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
    _run(run(_workdir(workdir), wanted, as_json=as_json))


@app.command()
def explain(
    wanted: Annotated[
        str,
        typer.Argument(metavar="ID", help="Of an observation, file, package, bundle, transfer, job or copy."),
    ],
    site: SiteOption = None,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell where something is, why, and what it waits for.

    With its copies, its problem and what to do about it, and everything that happened to it. Ids are what
    chasqui file, simulate, stage and the live page show.
    """
    from commands.explain import explain as show

    _run(show(_workdir(workdir), wanted, site=site, as_json=as_json))


@app.command()
def stage(
    ids: Annotated[list[str], typer.Argument(help="Observations, packages and files, in any mixture.")],
    location: Annotated[
        str | None, typer.Option(help="The PROCESSING location; one is chosen if left out.")
    ] = None,
    keep_for: Annotated[
        float | None,
        typer.Option(
            min=0, help="Seconds to keep it once it is there; the location's retention if left out."
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until everything is there and verified.")
    ] = False,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring archived data back, unpacked and verified, to a PROCESSING location.

    It prints the folder, which is complete when the job is (--wait, or chasqui explain JOB). The data stays until
    you release it or its time is up.
    """
    from commands.stage import stage as ask

    _run(ask(_workdir(workdir), ids, location=location, keep_for_s=keep_for, wait=wait, as_json=as_json))


@app.command()
def release(
    job: Annotated[str, typer.Argument(help="The id of the staging job.")],
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that staged data is no longer needed; the janitor clears it, the archive keeps it."""
    from commands.stage import release as ask

    _run(ask(_workdir(workdir), job, as_json=as_json))


@breaker_app.command("list")
def breaker_list(site: SiteOption = None, workdir: WorkdirOption = None, as_json: JsonOption = False) -> None:
    """Show which storage locations and routes are given a rest, why, and what to do about it.

    After three failures in a row the breaker of a location or route opens: work for it waits, without using up
    its attempts, and everything else goes on. After a pause one instance tries for all (half_open); if it works,
    the breaker closes by itself.

    chasqui breaker list --site cologne
    """
    from commands.breaker import show

    _run(show(_workdir(workdir), site=site, as_json=as_json))


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

    _run(close_one(_workdir(workdir), site, name, as_json=as_json))


LettersArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Ids of letters, or enough of their beginnings.", show_default=False),
]
LetterServiceOption = Annotated[str | None, typer.Option("--service", help="Given up by this service.")]
LetterHandlerOption = Annotated[str | None, typer.Option("--handler", help="Given up by this handler of it.")]
LetterCodeOption = Annotated[
    str | None, typer.Option("--code", help="For this reason, by its code: disk_full.")
]
LetterFailureOption = Annotated[
    str | None,
    typer.Option("--failure", help="By the kind of failure: exhausted, permanent, poison or unexpected."),
]
LetterTypeOption = Annotated[
    str | None, typer.Option("--type", help="Messages of this type: package.sealed, or all of package.")
]
LetterEntityOption = Annotated[
    str | None, typer.Option("--entity", help="About this observation, package, bundle, …: its id.")
]
SinceOption = Annotated[
    str | None, typer.Option("--since", help="Buried since: 2026-03-01T04:00, or 2h for two hours ago.")
]
UntilOption = Annotated[str | None, typer.Option("--until", help="Buried before: an instant, or 2h.")]
AllOption = Annotated[bool, typer.Option("--all", help="All of them, whatever they are.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


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
    places = sites_of(_workdir(workdir), site, config)
    _run(show_list(places, filters, limit=limit, as_json=as_json, console=Console()))


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

    places = sites_of(_workdir(workdir), site, config)
    _run(show_one(places, letter, body=body, as_json=as_json, console=Console()))


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
    places = sites_of(_workdir(workdir), site, config)
    _run(retry(places, choice, doing, as_json=as_json, console=Console()))


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
    places = sites_of(_workdir(workdir), site, config)
    _run(drop(places, choice, doing, reason=reason, as_json=as_json, console=Console()))


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
    (place,) = sites_of(_workdir(workdir), site, config)
    doing = Doing.NOT_YET if dry_run else Doing.NOW
    _run(replay(place, wanted, doing, as_json=as_json, console=Console()))


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
    _run(export(wanted, _workdir(workdir), Console(stderr=True), mend=mend, as_json=as_json))


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
    _run(check(wanted, _workdir(workdir), Console(stderr=True), as_json=as_json))


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
    _run(plan(_workdir(workdir), question, as_json=as_json))


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
    _run(place(_workdir(workdir), named, reason, site=site, as_json=as_json))


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

    _run(release(_workdir(workdir), hold, reason, site=site, as_json=as_json))


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

    _run(show(_workdir(workdir), site=site, everything=everything, as_json=as_json))


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
    _run(restore(terms, path, _workdir(workdir), Console(stderr=True), as_json=as_json))


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

    report = check(config or DEMO_CONFIG, _workdir(workdir).path, site)
    if as_json:
        print(json.dumps(report_as_json(report)))
    else:
        render(report, Console())
    raise typer.Exit(exit_code(report))


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

    _run(rebuild(Where(_workdir(workdir), config, site), keep=keep_old, patience_s=patience, as_json=as_json))


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

    _run(verify(Where(_workdir(workdir), config, site), samples=samples, as_json=as_json))


if __name__ == "__main__":
    main()
