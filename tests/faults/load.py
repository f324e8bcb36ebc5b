"""Instruments that observe all the time: they write random trees of files and file them, whatever happens."""

import asyncio
import hashlib
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from commands.filing_client import FilingClient
from contracts.observations import DeclaredFile, StartObservation
from libs.ending import end
from libs.errors import ChasquiError
from tests.faults.chance import generator
from tests.faults.chronicle import Chronicle
from tests.faults.deployment import ARCHIVES, INSTRUMENTS, SOURCE
from tests.faults.ledger import Ledger, Observation, Written
from tests.faults.length import is_long
from tests.faults.system import System

KIB, MIB = 1 << 10, 1 << 20
SHORT_REST_S = 1.5
NAMES = ("frame", "Aufnahme ö", "a b", "100%", "-dash", "näch\u0303t", "tab\tin", "back\\slash", "e" * 120)


@dataclass(frozen=True, slots=True)
class Pace:
    """How much an instrument observes.

    Attributes:
        files: Most files of one observation.
        large: The share of observations that have one large file, of 9 to 18 MiB: more than one part on S3.
        rest_s: Longest pause after an observation.
        most_open: An instrument waits, as a full disk would make it, while so many observations of it are not
            archived.
    """

    files: int = 8
    large: float = 0.12
    rest_s: float = 0.3
    most_open: int = 6


def usual_pace() -> Pace:
    """That of an instrument; in the short form, which plays beside other tests, one that leaves them some of the machine."""
    return Pace() if is_long() else Pace(rest_s=SHORT_REST_S, most_open=4)


class Instrument:
    """Observes until it is told to stop.

    Args:
        name: Its name.
        system: Where it stands.
        ledger: Where it writes down what it wrote and what it was answered.
        rng: Decides everything about its files.
        pace: How much.
    """

    def __init__(self, name: str, system: System, ledger: Ledger, rng: random.Random, pace: Pace) -> None:
        self.name = name
        self.folder = system.disk(SOURCE) / name
        self._filing = system.filing
        self._ledger = ledger
        self._rng = rng
        self._pace = pace

    async def observe_until(self, stop: asyncio.Event, open_now: Callable[[str], int]) -> None:
        """One observation after the other; `open_now` says how many are not archived yet."""
        async with FilingClient(self._filing) as filing:
            while not stop.is_set():
                if open_now(self.name) < self._pace.most_open + self._ledger.more_open:
                    await self._try(filing)
                await asyncio.sleep(self._rng.uniform(0, self._pace.rest_s))

    async def _try(self, filing: FilingClient) -> None:
        try:
            await self.observe(filing)
        except ChasquiError as error:
            self._ledger.complaints.append(f"filing refused what {self.name} observed: {error}")

    async def observe(self, filing: FilingClient) -> Observation:
        """One observation: some files are written before they are filed, some after."""
        observation = await self.begin(filing)
        plans = [self._plan(str(observation.id), n) for n in range(self._rng.randint(1, self._pace.files))]
        await self.end(filing, observation, plans, early=self._rng.random() < 0.5)
        if self._rng.random() < 0.1:
            await asyncio.to_thread(self._leave_a_decoy, str(observation.id))
        return observation

    async def begin(self, filing: FilingClient) -> Observation:
        """Start one."""
        label = f"{self._rng.choice(NAMES)} {len(self._ledger.observations)}"
        unit = await filing.start(
            StartObservation(instrument=self.name, start_time=datetime.now(UTC), obs_unit=label)
        )
        return self._ledger.observations.setdefault(unit, Observation(self.name, unit))

    async def end(
        self, filing: FilingClient, observation: Observation, plans: list["Plan"], *, early: bool
    ) -> None:
        """File its files and finish it; with `early`, they are filed before they are written."""
        if not early:
            await asyncio.to_thread(self.write, plans)
        for begin in range(0, len(plans), 5):
            await self._file(filing, observation, plans[begin : begin + 5])
        if early:
            await asyncio.to_thread(self.write, plans)
        await filing.finish(observation.id, datetime.now(UTC))
        observation.finished = True

    async def _file(self, filing: FilingClient, observation: Observation, plans: list["Plan"]) -> None:
        ids = await filing.file(observation.id, [plan.declared for plan in plans])
        for plan, file_id in zip(plans, ids, strict=True):
            plan.written.id = file_id
            observation.files.append(plan.written)

    def _plan(self, top: str, number: int) -> "Plan":
        rng = self._rng
        folders = [rng.choice(NAMES)[:20] for _ in range(rng.choice((0, 0, 1, 1, 2, 5)))]
        path = "/".join([top, *folders, f"{number:03} {rng.choice(NAMES)}.raw"])
        size = rng.choice((0, rng.randint(1, KIB), rng.randint(KIB, 64 * KIB), rng.randint(KIB, 512 * KIB)))
        if number == 0 and rng.random() < self._pace.large:
            size = rng.randint(9 * MIB, 18 * MIB)
        module = "guide" if self.name == INSTRUMENTS[0] and rng.random() < 0.3 else None
        told = rng.choice((Told.SIZE, Told.BOTH, Told.NOTHING))
        return planned(rng, path, size, told, module)

    def write(self, plans: list["Plan"]) -> None:
        """Each file is whole when it gets its name; blocking."""
        for plan in plans:
            place(self.folder, plan.written.path, plan.data, plan.written.mtime_ns)

    def _leave_a_decoy(self, top: str) -> None:
        data = self._rng.randbytes(self._rng.randint(1, KIB))
        path = place(self.folder, f"{top}/nobody filed this.txt", data, 17 * 10**17)
        self._ledger.decoys[path] = hashlib.sha256(data).hexdigest()


class Told(Enum):
    """What an instrument declares of a file."""

    NOTHING = frozenset[str]()
    """Its path alone."""
    SIZE = frozenset({"size"})
    """Its size."""
    BOTH = frozenset({"size", "sha256"})
    """Its size and its checksum."""


def planned(rng: random.Random, path: str, size: int, told: Told, module: str | None = None) -> "Plan":
    """A file of random bytes and any time of the last decades."""
    data = rng.randbytes(size)
    sha256 = hashlib.sha256(data).hexdigest()
    facts = {"size": size, "sha256": sha256}
    declared = DeclaredFile.model_validate(
        {"path": path, "module": module, **{name: facts[name] for name in told.value}}
    )
    return Plan(data, Written(path, size, sha256, rng.randint(10**18, 17 * 10**17), declared))


@dataclass(frozen=True, slots=True)
class Plan:
    """A file to write: its bytes and what the ledger says of it."""

    data: bytes
    written: Written

    @property
    def declared(self) -> DeclaredFile:
        """As it is filed."""
        return self.written.declared


def place(folder: Path, relative: str, data: bytes, mtime_ns: int) -> Path:
    """Write a file under another name and rename it, with this time; blocking."""
    path = folder / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.parent / f".writing-{os.getpid()}-{hashlib.sha256(relative.encode()).hexdigest()[:16]}"
    temporary.write_bytes(data)
    os.utime(temporary, ns=(mtime_ns, mtime_ns))
    temporary.replace(path)
    return path


@asynccontextmanager
async def observing(
    system: System, ledger: Ledger, chronicle: Chronicle, rng: random.Random, pace: Pace
) -> AsyncIterator[list[Instrument]]:
    """Let every instrument observe while the block lasts; what is begun is finished."""
    stop = asyncio.Event()

    def open_now(instrument: str) -> int:
        return sum(
            not all(file.id and chronicle.is_archived(file.id, ARCHIVES) for file in observation.files)
            for observation in ledger.observations.values()
            if observation.instrument == instrument
        )

    instruments = [Instrument(name, system, ledger, generator(rng.random()), pace) for name in INSTRUMENTS]
    tasks = [asyncio.create_task(one.observe_until(stop, open_now)) for one in instruments]
    try:
        yield instruments
        stop.set()
        async with asyncio.timeout(240):
            await asyncio.gather(*tasks)
    finally:
        await end(*tasks)
