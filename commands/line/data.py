"""Data: filed by an instrument, played by a simulated one, brought back for a scientist."""

from typing import Annotated

import typer
from rich.console import Console

from commands.line.options import JsonOption, WorkdirOption
from commands.line.performing import perform, workdir_of

app = typer.Typer()


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
    exposure: Annotated[
        str | None,
        typer.Option(help="Which exposure it is, IPPPSSOO, with :TYPE if its role is not EXP."),
    ] = None,
    association: Annotated[
        list[str] | None, typer.Option(help="An association that the exposure is to be in; may be repeated.")
    ] = None,
    exposures: Annotated[
        int | None, typer.Option(min=1, help="How many exposures these associations will have.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until everything is archived.")] = False,
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """File files that are on an instrument's disk as one observation.

    The observation is started, given these files, and finished. Paths are relative to the instrument's folder;
    files may still be growing, the scanner waits for them.

    chasqui file night/0001.fits night/0002.fits --instrument sky-camera --wait

    chasqui file night/0003.fits --instrument sky-camera --exposure C8C0A1Q1 --association C8C0A1010 --exposures 2
    """
    from commands.file import Wanted, run

    named = (exposure, tuple(association or ()), exposures)
    wanted = Wanted(tuple(paths), instrument, obs_unit, target, ra, dec, module, *named)
    perform(run(wanted, workdir_of(workdir), Console(stderr=as_json), wait=wait, as_json=as_json))


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
    perform(run(play, workdir_of(workdir), Console(stderr=as_json), as_json=as_json))


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

    perform(ask(workdir_of(workdir), ids, location=location, keep_for_s=keep_for, wait=wait, as_json=as_json))


@app.command()
def check(
    job: Annotated[str, typer.Argument(help="The id of a completed staging job.")],
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read staged data again: is every file as its instrument wrote it?

    Every file is compared with the size, the time and the checksum that were taken at its first read. A file is
    whole, damaged (other bytes, though its time says that nobody wrote to it), changed or missing. Nothing is
    changed; files that are not whole can be brought back from the archive. The exit status is 1 if there are any.

    chasqui check 0b56a7c2-5f0e-5bb5-a4a5-3d0e8c6f1a55 --json
    """
    from commands.check import check as run

    perform(run(workdir_of(workdir), job, as_json=as_json))


@app.command()
def release(
    job: Annotated[str, typer.Argument(help="The id of the staging job.")],
    workdir: WorkdirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that staged data is no longer needed; the janitor clears it, the archive keeps it."""
    from commands.stage import release as ask

    perform(ask(workdir_of(workdir), job, as_json=as_json))
