"""How other commands find a running `chasqui up`: its addresses and, apart from them, its secrets.

`up` writes both when everything answers and removes them when it stops. If it was killed they stay; they
are recognised as stale because the process is gone, or because its number now belongs to a later process.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import psutil
from pydantic import Field, ValidationError

from contracts.base import Name, Utc
from libs.errors import UserError
from libs.sites.credentials import Credentials
from libs.sites.models import Deployment
from libs.sites.settings import Settings
from libs.sites.workdir import Workdir, WorkdirLock, write_private

__all__ = ["Running", "SiteUrls", "Workdir", "WorkdirLock", "announced", "find_credentials", "find_running"]

CLOCK_TOLERANCE = 2.0
"""Seconds by which the kernel's figure of a process's start may move when the clock is set."""


class SiteUrls(Settings):
    """Where a site's HTTP services answer; None if that service does not run."""

    filing: str | None = None
    gateway: str | None = None


class Running(Settings):
    """What a running `up` tells about itself; holds no secret.

    Attributes:
        process_started: Seconds since 1970, as the kernel has it: tells a later process of the same number.
        config: The deployment file.
        deployment: With real addresses (`libs.sites.resolving.resolve`).
        running_sites: The sites this `up` runs; the deployment may have more.
        urls: By site.
    """

    version: Literal[1] = 1
    pid: int = Field(gt=0)
    process_started: float
    started_at: Utc
    config: Path | None = None
    deployment: Deployment
    running_sites: tuple[Name, ...]
    urls: dict[Name, SiteUrls] = Field(default_factory=dict)

    @classmethod
    def here(
        cls,
        deployment: Deployment,
        sites: tuple[str, ...],
        urls: dict[str, SiteUrls],
        config: Path | None = None,
    ) -> "Running":
        """What this process tells about itself."""
        pid = os.getpid()
        return cls(
            pid=pid,
            process_started=psutil.Process(pid).create_time(),
            started_at=datetime.now(UTC),
            config=config,
            deployment=deployment,
            running_sites=sites,
            urls=urls,
        )


@contextmanager
def announced(workdir: Workdir, running: Running, credentials: Credentials) -> Iterator[None]:
    """Let other commands find this `up` as long as the block lasts. Hold the `WorkdirLock` around it."""
    workdir.create()
    write_private(workdir.credentials_file, credentials.to_text())
    write_private(workdir.running_file, running.model_dump_json(indent=2))
    try:
        yield
    finally:
        workdir.running_file.unlink(missing_ok=True)
        workdir.credentials_file.unlink(missing_ok=True)


def find_running(workdir: Workdir) -> Running:
    """The `up` that runs in a work directory.

    Raises:
        UserError: `not_running`: there is none, or it died; `running_unreadable`.
    """
    try:
        running = Running.model_validate_json(workdir.running_file.read_bytes())
    except FileNotFoundError as gone:
        raise _not_running(workdir, "nothing runs there") from gone
    except (OSError, ValidationError) as wrong:
        reason = f"{workdir.running_file} cannot be read."
        remedy = "Check who owns it, and that this is the version of chasqui that wrote it."
        raise UserError("running_unreadable", reason, remedy) from wrong
    if not is_alive(running.pid, running.process_started):
        raise _not_running(workdir, f"process {running.pid}, which ran there, is gone")
    return running


def find_credentials(workdir: Workdir) -> Credentials:
    """The secrets of the `up` that runs in a work directory.

    Raises:
        UserError: `not_running`, `running_unreadable` or `credentials_malformed`.
    """
    find_running(workdir)
    try:
        return Credentials.from_text(workdir.credentials_file.read_text("utf-8"))
    except FileNotFoundError as gone:
        raise _not_running(workdir, "it is just stopping") from gone
    except (OSError, UnicodeDecodeError) as wrong:
        reason = f"{workdir.credentials_file} cannot be read."
        raise UserError("running_unreadable", reason, "Run this as the user who runs chasqui up.") from wrong


def is_alive(pid: int, process_started: float) -> bool:
    """Whether that very process still runs; a zombie does not."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - process_started) <= CLOCK_TOLERANCE
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _not_running(workdir: Workdir, why: str) -> UserError:
    reason = f"No chasqui runs in {workdir.path}: {why}."
    return UserError("not_running", reason, f"Start it with: chasqui up --workdir '{workdir.path}'")
