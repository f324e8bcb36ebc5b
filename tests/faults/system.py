"""A running `chasqui up`: its processes by name, its places by site, its end."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from commands.run import place_of
from libs.service.service import Place
from libs.sites.workdir import Workdir
from tests.faults.deployment import CENTRE, TELESCOPE
from tests.support.machine import chasqui, ended, wait_until_gone

SITES = (TELESCOPE, CENTRE)
END_WITHIN_S = 240.0
"""Generous, as all of these: the machine may be busy with much else."""


@dataclass(frozen=True)
class System:
    """A deployment that runs.

    Attributes:
        process: Of `up`.
        started: What `up` said when everything ran.
        places: By site.
    """

    process: "subprocess.Popen[str]"
    workdir: Workdir
    started: dict[str, Any]
    places: dict[str, Place]

    def disk(self, location: str) -> Path:
        """The folder of a location."""
        return self.places[TELESCOPE].disk(location).path

    @property
    def filing(self) -> str:
        """The address of the telescope's filing service."""
        return str(self.started["sites"][TELESCOPE]["filing"])

    @property
    def gateway(self) -> str:
        """The address of the centre's gateway."""
        return str(self.started["sites"][CENTRE]["gateway"])

    @property
    def names(self) -> tuple[str, ...]:
        """Every service as ``service@site``, in the order in which they were started."""
        return tuple(self.started["services"])

    def services(self) -> dict[str, int]:
        """The process of every service that runs now, by ``service@site``.

        They are forked: only their log tells which is which. What a service starts itself is in its session.
        """
        found: dict[str, int] = {}
        for process in self._family():
            name = self._name_of(process.pid)
            if name is not None and os.getsid(process.pid) == process.pid:
                found[name] = process.pid
        return found

    def server(self, *words: str) -> int:
        """The process of an embedded server, by words of its command line.

        Raises:
            LookupError: None runs.
        """
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):  # it has just ended
                line = " ".join(child.cmdline())
                if all(word in line for word in words):
                    return child.pid
        raise LookupError(f"no server runs with {words}")

    def _family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def _name_of(self, pid: int) -> str | None:
        try:
            log = Path(f"/proc/{pid}/fd/1").readlink()
        except OSError:
            return None
        if log.parent != self.workdir.logs:
            return None
        return next((name for name in self.names if log.stem == _stem(name)), None)

    def alive(self) -> bool:
        """Whether `up` itself runs."""
        return self.process.poll() is None


def _stem(name: str) -> str:
    service, site = name.split("@")
    return f"{site}-{service}"


@asynccontextmanager
async def standing(
    folder: Path, config: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[System]:
    """Run `chasqui up` while the block lasts; afterwards nothing of it runs any more.

    Args:
        folder: The work directory, which may be there already.
        config: The deployment file.
        environment: Beside this process's own.
    """
    workdir = Workdir(folder)
    workdir.create()
    with (workdir.logs / "up.log").open("ab") as log:
        process = chasqui(
            *("up", str(config), "--workdir", str(folder), "--json"),
            stderr=log,
            env={**os.environ, **(environment or {})},
        )
    try:
        started = await asyncio.to_thread(_started, process, workdir)
        yield System(process, workdir, started, {site: place_of(site, None, workdir) for site in SITES})
    finally:
        with ended(process, END_WITHIN_S):
            process.send_signal(signal.SIGTERM)
    assert wait_until_gone(folder) == []


def _started(process: "subprocess.Popen[str]", workdir: Workdir) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait(30)
        raise AssertionError(f"chasqui up ended at once:\n{(workdir.logs / 'up.log').read_text()[-4000:]}")
    answer: dict[str, Any] = json.loads(line)
    return answer
