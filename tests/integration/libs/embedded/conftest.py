"""Helpers of the embedded servers' tests: what processes exist, and a starter that can be killed."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from libs.embedded.identity import Identity, Way, reachable
from libs.embedded.launch import __file__ as launcher
from libs.embedded.postgres import postgres_programs
from libs.embedded.process import SAME_IDENTITY

ROOT = Path(__file__).parents[4]
ORDINARY_UID = 65534


def family(pids: tuple[int, ...]) -> list[psutil.Process]:
    """The processes and all their descendants."""
    parents = [psutil.Process(pid) for pid in pids]
    return [*parents, *(child for parent in parents for child in parent.children(recursive=True))]


def listening_addresses(pids: tuple[int, ...]) -> set[str]:
    """Every address that the processes or their descendants listen on."""
    return {
        connection.laddr.ip
        for process in family(pids)
        for connection in connections(process)
        if connection.status == psutil.CONN_LISTEN
    }


def connections(process: psutil.Process) -> list[psutil._ntuples.pconn]:
    """The process's sockets; none once it is gone."""
    try:
        return process.net_connections("inet")
    except psutil.NoSuchProcess:
        return []


def all_gone(processes: list[psutil.Process], within_s: float = 10.0) -> bool:
    """Whether all processes end within so many seconds."""
    return not psutil.wait_procs(processes, within_s)[1]


class Starters:
    """Starts programs of their own that start servers, as another user where that is possible."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []

    def start(self, code: str, folder: Path, identity: str = SAME_IDENTITY) -> subprocess.Popen[str]:
        """Run `code` with the folder as its argument; its standard output is readable."""
        launch = [sys.executable, "-I", "-S", launcher, str(os.getpid()), "9", identity]
        process = subprocess.Popen(
            [*launch, sys.executable, "-c", code, str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        """Kill what still runs."""
        for process in self._started:
            process.kill()
            process.communicate()


@pytest.fixture
def starters() -> Iterator[Starters]:
    several = Starters()
    yield several
    several.close()


@pytest.fixture
def listening() -> Callable[[tuple[int, ...]], set[str]]:
    return listening_addresses


@pytest.fixture
def relatives() -> Callable[[tuple[int, ...]], list[psutil.Process]]:
    return family


@pytest.fixture
def gone() -> Callable[[list[psutil.Process]], bool]:
    return all_gone


@pytest.fixture
def ordinary_identity() -> str:
    """An ordinary user in the launcher's words: another one for root, otherwise the present one."""
    if os.geteuid() != 0:
        return SAME_IDENTITY
    ordinary = Identity(Way.SETUID, ORDINARY_UID, ORDINARY_UID)
    if reachable(postgres_programs() / "initdb", ordinary):
        return ordinary.words
    # The checkout is below a folder of root's alone: there, nobody else can start anything from it.
    return Identity(Way.NAMESPACE, ORDINARY_UID, ORDINARY_UID).words


@pytest.fixture
def ordinary_folder(tmp_path: Path, ordinary_identity: str) -> Path:
    """A folder that the ordinary user owns."""
    folder = tmp_path / "ordinary"
    folder.mkdir()
    if ordinary_identity.startswith(Way.SETUID.value):
        os.chown(folder, ORDINARY_UID, ORDINARY_UID)
    return folder
