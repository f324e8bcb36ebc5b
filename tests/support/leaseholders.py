"""Processes that hold a lease whenever they can, and write down each time that they found themselves holding it."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from libs.bus.connection import BusAddress, connect
from libs.bus.leases import Lease, LeaseLost, Leases

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Found:
    """A process found itself holding the lease.

    Attributes:
        who: The process, by the test's name for it.
        token: The fencing token.
        at: When it asked, by the machine's monotonic clock.
    """

    who: str
    token: int
    at: float


@dataclass(frozen=True)
class Contest:
    """One lease that several processes contend for.

    Attributes:
        address: The server.
        site: Whose bucket.
        lease_s: How long the lease holds.
        record: The file that all of them write to.
    """

    address: BusAddress
    site: str
    lease_s: float
    record: Path

    def found(self) -> list[Found]:
        """What was written down until now, in the order in which it was asked for."""
        if not self.record.exists():
            return []
        lines = [json.loads(line) for line in self.record.read_text().splitlines()]
        return sorted((Found(**line) for line in lines), key=lambda one: one.at)

    def holder(self, since: float) -> str | None:
        """Who found itself holding the lease last, since a moment."""
        late = [one.who for one in self.found() if one.at >= since]
        return late[-1] if late else None

    @asynccontextmanager
    async def contender(self, who: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """A process that contends while the block lasts; it is about to when the block begins."""
        arguments = json.dumps(
            {**asdict(self), "record": str(self.record), "address": asdict(self.address), "who": who}
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.leaseholders",
            arguments,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            assert await process.stdout.readline() == b"ready\n"
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()


async def _contend(contest: Contest, who: str) -> None:
    client = await connect(contest.address, name=who)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(client.close)
        lease = Leases(client, site=contest.site, instance=who, lease_s=contest.lease_s).of("test")
        file = os.open(contest.record, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(sys.stdout.fileno(), b"ready\n")
        while not stop.is_set():
            with suppress(LeaseLost):
                async with lease.held():
                    await _write_down(lease, who, file, stop)


async def _write_down(lease: Lease, who: str, file: int, stop: asyncio.Event) -> None:
    while not stop.is_set():
        asked = time.monotonic()
        found = Found(who, lease.token, asked)
        os.write(file, json.dumps(asdict(found)).encode() + b"\n")
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    name = told.pop("who")
    asyncio.run(
        _contend(
            Contest(**{**told, "address": BusAddress(**told["address"]), "record": Path(told["record"])}),
            name,
        )
    )
