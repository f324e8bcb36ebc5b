import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import asyncpg
import psutil
import pytest

from libs.embedded.servers import EmbeddedServers, NatsPlan
from libs.errors import UserError

pytestmark = pytest.mark.integration

PLANS = (NatsPlan("chile", leaf_of="cologne"), NatsPlan("cologne"))
STARTER = """
import asyncio, json, os, sys
from pathlib import Path
from libs.embedded.servers import EmbeddedServers, NatsPlan

async def main():
    plans = [NatsPlan("chile", leaf_of="cologne"), NatsPlan("cologne")]
    async with EmbeddedServers(Path(sys.argv[1]), nats=plans, postgres={}, s3=True) as servers:
        pids = [p for s in (*servers.nats.values(), servers.postgres, servers.s3) for p in s.pids]
        print(json.dumps({"uid": os.geteuid(), "pids": pids, "dsn": servers.postgres.dsn()}), flush=True)
        await asyncio.sleep(60)

try:
    asyncio.run(main())
except KeyboardInterrupt:
    sys.exit(130)
"""


class Starts(Protocol):
    def start(self, code: str, folder: Path, identity: str = ...) -> subprocess.Popen[str]: ...


Relatives = Callable[[tuple[int, ...]], list[psutil.Process]]
Gone = Callable[[list[psutil.Process]], bool]


def report(starter: subprocess.Popen[str]) -> dict[str, object]:
    assert starter.stdout is not None
    line = starter.stdout.readline()
    assert line.startswith("{"), line + starter.stdout.read()
    answer = json.loads(line)
    assert isinstance(answer, dict)
    return answer


def holds_a_lock(pid: int, folder: Path) -> bool:
    opened = [fd.readlink() for fd in Path(f"/proc/{pid}/fd").iterdir()]
    return any(path.name == "lock" and path.is_relative_to(folder) for path in opened)


async def test_all_start_together_and_leave_nothing(tmp_path: Path, relatives: Relatives, gone: Gone) -> None:
    async with EmbeddedServers(tmp_path, nats=PLANS, postgres={}, s3=True) as servers:
        assert servers.running
        assert list(servers.nats) == ["cologne", "chile"]
        pids = [p for s in (*servers.nats.values(), servers.postgres, servers.s3) for p in s.pids]
        processes = relatives(tuple(pids))
        assert len(processes) > len(pids)
        assert all(holds_a_lock(pid, tmp_path) for pid in pids)
    assert gone(processes)
    assert not servers.running


async def test_one_that_fails_stops_the_others(tmp_path: Path) -> None:
    async with EmbeddedServers(tmp_path, nats=[NatsPlan("cologne")]) as running:
        before = set(psutil.Process().children())
        with pytest.raises(UserError, match="in use"):
            await EmbeddedServers(tmp_path, nats=PLANS, postgres={}, s3=True).start()
        assert running.running
        assert set(psutil.Process().children()) == before


@pytest.mark.parametrize(
    "how",
    [signal.SIGKILL, *(pytest.param(one, marks=pytest.mark.long) for one in (signal.SIGINT, signal.SIGTERM))],
)
async def test_nothing_outlives_the_starter(
    tmp_path: Path, starters: Starts, relatives: Relatives, gone: Gone, how: signal.Signals
) -> None:
    starter = starters.start(STARTER, tmp_path)
    told = report(starter)
    processes = relatives((starter.pid,))
    assert len(processes) > 5
    starter.send_signal(how)
    starter.wait(20)
    assert gone(processes)
    async with EmbeddedServers(tmp_path, nats=PLANS, postgres={}, s3=True) as servers:
        assert servers.postgres.dsn() == told["dsn"]


async def test_an_ordinary_user_starts_all(
    starters: Starts, ordinary_folder: Path, ordinary_identity: str, relatives: Relatives, gone: Gone
) -> None:
    starter = starters.start(STARTER, ordinary_folder, ordinary_identity)
    told = report(starter)
    assert told["uid"] != 0
    connection = await asyncpg.connect(str(told["dsn"]))
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
    processes = relatives((starter.pid,))
    outside = os.geteuid() if ordinary_identity.startswith("namespace") else told["uid"]
    assert {process.uids().effective for process in processes} == {outside}
    starter.send_signal(signal.SIGINT)
    assert starter.wait(20) == 130
    assert gone(processes)


async def test_another_process_is_named(tmp_path: Path, starters: Starts) -> None:
    starter = starters.start(STARTER, tmp_path)
    report(starter)
    with pytest.raises(UserError, match=f"in use by process {starter.pid}"):
        await EmbeddedServers(tmp_path, nats=PLANS).start()
