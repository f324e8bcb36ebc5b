"""The `chasqui` command: parses words, calls one function of one module, shows errors with their remedy."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Optional

import typer
from rich.console import Console
from rich.text import Text

from libs.errors import ChasquiError, UserError
from libs.sites.workdir import Workdir

ROOT = Path(__file__).resolve().parent.parent
DEMO_CONFIG = ROOT / "deploy" / "demo.yaml"
EXAMPLES = ROOT / "examples" / "data"
INTERRUPTED, TERMINATED = 130, 143

app = typer.Typer(
    name="chasqui",
    help="Carries an observatory's data from the instrument's disk to the archive and to the scientist.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="The deployment file.", no_args_is_help=True)
app.add_typer(config_app, name="config")

WorkdirOption = Annotated[
    Optional[Path],  # noqa: UP045  Typer reads it
    typer.Option(
        "--workdir",
        help="Where everything is kept, and how commands find each other. "
        "$CHASQUI_WORKDIR or ./.chasqui if left out.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts on standard output.")]
SiteOption = Annotated[Optional[str], typer.Option("--site", help="Ask this site only.")]  # noqa: UP045
ConfigOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Argument(help="The deployment file; the demo's if left out.", show_default=False),
]


def main() -> None:
    """Run the command line; every error of ours becomes one message and an exit status."""
    as_json = "--json" in sys.argv
    try:
        status = app(standalone_mode=False)  # Typer returns the status of an Exit instead of raising it
    except ChasquiError as error:
        _show(error, as_json=as_json)
        sys.exit(2 if isinstance(error, UserError) else 1)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(INTERRUPTED)
    except asyncio.CancelledError:
        sys.exit(TERMINATED)
    except Exception as error:
        shown = getattr(error, "show", None)
        if shown is None:
            raise
        shown()  # a usage error of Typer's: it knows the command's usage line
        sys.exit(2)
    sys.exit(status if isinstance(status, int) else 0)


def _show(error: ChasquiError, *, as_json: bool) -> None:
    problem = error.problem
    if as_json:
        print(json.dumps({"error": problem.model_dump()}))
    console = Console(stderr=True)
    console.print(Text(f"Error: {problem.reason}", style="bold red"), soft_wrap=True)
    console.print(Text(f"Remedy: {problem.remedy}"), soft_wrap=True)
    console.print(Text(f"({problem.code})", style="dim"))


def _run(work: Coroutine[Any, Any, int]) -> None:
    """Run to the end on a fast event loop; a non-zero result is the exit status.

    SIGTERM ends it as Ctrl-C does: what was started is stopped in order.
    """
    import uvloop

    status = uvloop.run(_terminable(work))
    if status:
        raise typer.Exit(status)


async def _terminable(work: Coroutine[Any, Any, int]) -> int:
    if (task := asyncio.current_task()) is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


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
    site: Annotated[Optional[list[str]], typer.Option(help="Only this site; may be repeated.")] = None,  # noqa: UP045
    as_json: JsonOption = False,
) -> None:
    """Run all services of one or more sites on this machine, until Ctrl-C.

    Servers that the deployment calls embedded are started, too, on the data they left when they last ran.
    A service that dies is started again.
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
        Optional[Path],  # noqa: UP045
        typer.Option(help="A deployment of real servers; without it, a running chasqui up is joined."),
    ] = None,
    workdir: WorkdirOption = None,
) -> None:
    """Run one more instance of one service, in the foreground.

    Secrets are taken from the environment (see docs/configuration.md) or from the running chasqui up.
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
    obs_unit: Annotated[Optional[str], typer.Option(help="The planned ObsUnit.")] = None,  # noqa: UP045
    target: Annotated[Optional[str], typer.Option(help="What was observed.")] = None,  # noqa: UP045
    ra: Annotated[Optional[float], typer.Option(help="Right ascension, ICRS degrees.")] = None,  # noqa: UP045
    dec: Annotated[Optional[float], typer.Option(help="Declination, ICRS degrees.")] = None,  # noqa: UP045
    module: Annotated[Optional[str], typer.Option(help="The instrument module.")] = None,  # noqa: UP045
    wait: Annotated[bool, typer.Option("--wait", help="Wait until everything is archived.")] = False,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """File files that are on an instrument's disk as one observation."""
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
    """Play an instrument: write valid FITS frames with a WCS at a given rate, and file them."""
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
    """Show how each running site is: services, queues, work by state, disks, the oldest unarchived file."""
    from commands.status import status as show

    _run(show(_workdir(workdir), site=site, as_json=as_json, watch=watch))


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
    """Tell where something is, why, and what it waits for."""
    from commands.explain import explain as show

    _run(show(_workdir(workdir), wanted, site=site, as_json=as_json))


@app.command()
def stage(
    ids: Annotated[list[str], typer.Argument(help="Observations, packages and files, in any mixture.")],
    location: Annotated[Optional[str], typer.Option(help="The PROCESSING location.")] = None,  # noqa: UP045
    keep_for: Annotated[Optional[float], typer.Option(help="Seconds to keep it once it is there.")] = None,  # noqa: UP045
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until everything is there and verified.")
    ] = False,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring archived data back, unpacked and verified, to a PROCESSING location."""
    from commands.stage import stage as ask

    _run(ask(_workdir(workdir), ids, location=location, keep_for_s=keep_for, wait=wait, as_json=as_json))


@app.command()
def release(
    job: Annotated[str, typer.Argument(help="The staging job.")],
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that staged data is no longer needed; the janitor clears it."""
    from commands.stage import release as ask

    _run(ask(_workdir(workdir), job, as_json=as_json))


@config_app.command("check")
def config_check(
    config: ConfigOption = None,
    site: Annotated[str | None, typer.Option(help="Also look at this machine's disks, as that site.")] = None,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell everything that is wrong with a deployment file, by line, with remedies."""
    from commands.config import as_json as report_as_json
    from commands.config import check, exit_code, render

    report = check(config or DEMO_CONFIG, _workdir(workdir).path, site)
    if as_json:
        print(json.dumps(report_as_json(report)))
    else:
        render(report, Console())
    raise typer.Exit(exit_code(report))


if __name__ == "__main__":
    main()
