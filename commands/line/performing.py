"""What every command does with its work: find the work directory, run to the end, stop in order."""

import asyncio
import os
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from libs.sites.workdir import Workdir

ROOT = Path(__file__).resolve().parents[2]
DEMO_CONFIG = ROOT / "deploy" / "demo.yaml"
EXAMPLES = ROOT / "examples" / "data"


def perform(work: Coroutine[Any, Any, int]) -> None:
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


def workdir_of(chosen: Path | None) -> Workdir:
    """The work directory that was named, or the one that is found."""
    return Workdir.find(chosen, os.environ)
