"""What runs inside a service's process."""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import uvloop

from commands.services import load
from libs.errors import ChasquiError
from libs.service.lifeline import die_with
from libs.service.running import run
from libs.service.service import Place
from libs.telemetry import logs


@dataclass(frozen=True, slots=True)
class Task:
    """One service process.

    Attributes:
        service: The service's name.
        place: Where it runs.
        log: Where its output goes; None keeps the terminal.
        supervisor: The process it must not outlive; None to live on its own.
    """

    service: str
    place: Place
    log: Path | None = None
    log_format: logs.LogFormat = logs.LogFormat.JSON
    log_level: str = "INFO"
    supervisor: int | None = None


def main(task: Task) -> None:
    """Run the service until it is told to stop; exit status 1 if it fails."""
    # Nothing is in hand until the service looks for signals itself, and an import may swallow a KeyboardInterrupt.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if task.supervisor is not None:
        os.setsid()  # Ctrl-C in the terminal is for the supervisor, which stops services in order
        die_with(task.supervisor)
    if task.log is not None:
        _redirect(task.log)
    logs.configure(level=task.log_level, style=task.log_format)
    try:
        uvloop.run(run(load(task.service), task.place))
    except ChasquiError as error:
        logs.logger("service").error("failed", service=task.service, **error.problem.model_dump())
        sys.exit(1)
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)


def _redirect(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
