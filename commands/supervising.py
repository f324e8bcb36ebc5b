"""Service processes: started from one warm parent, watched, started again when they die, stopped in order.

They are forked by `multiprocessing`'s fork server, which has imported what they share: fifteen services start in
the time of one, and share its memory. None outlives the supervisor, however it ends (`libs.service.lifeline`).
"""

import asyncio
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext, ForkServerProcess

from commands.child import Task, main
from libs.telemetry.logs import logger

PRELOAD = ["commands.child", "libs.opsdb.reader", "libs.bus.bus", "fastapi", "contracts.registry"]
STOP_GRACE_S = 15.0
QUICK_DEATH_S = 5.0
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 30.0

log = logger("supervisor")


@dataclass(slots=True)
class Worker:
    """One service at one site, through all its restarts.

    Attributes:
        started: When its present process was (monotonic clock).
        quick_deaths: How many times in a row it died soon after it was started.
        deaths: Every exit code.
    """

    task: Task
    process: ForkServerProcess
    started: float
    restarts: int = 0
    quick_deaths: int = 0
    deaths: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        """``service@site``."""
        return f"{self.task.service}@{self.task.place.site}"


class Supervisor:
    """Runs tasks as processes until it is closed.

    Args:
        on_death: Told when a process ended without being asked to, with its exit code.
    """

    def __init__(self, on_death: Callable[[Worker, int], None] | None = None) -> None:
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOAD)
        self._workers: dict[str, Worker] = {}
        self._watchers: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._on_death = on_death

    def warm_up(self) -> None:
        """Begin to import what services share, while something else is being done."""
        forkserver.ensure_running()

    @property
    def workers(self) -> tuple[Worker, ...]:
        """Every worker, in the order it was started."""
        return tuple(self._workers.values())

    def start(self, task: Task) -> Worker:
        """Start a service and keep it running."""
        worker = Worker(task, self._spawn(task), time.monotonic())
        self._workers[worker.name] = worker
        watcher = asyncio.create_task(self._watch(worker))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)
        return worker

    async def stop(self, names: tuple[str, ...] | None = None) -> None:
        """Stop the named workers, or all; what does not stop within the grace time is killed."""
        chosen = [worker for worker in self.workers if names is None or worker.name in names]
        if names is None:
            self._stopping = True
        for worker in chosen:
            self._workers.pop(worker.name)
            if worker.process.is_alive():
                worker.process.terminate()
        deadline = time.monotonic() + STOP_GRACE_S
        for worker in chosen:
            await asyncio.to_thread(worker.process.join, max(0.1, deadline - time.monotonic()))
            if worker.process.is_alive():
                log.warning("killed", worker=worker.name)
                worker.process.kill()
                await asyncio.to_thread(worker.process.join)
        if names is None:
            for watcher in tuple(self._watchers):
                watcher.cancel()

    def _spawn(self, task: Task) -> ForkServerProcess:
        process = self._context.Process(target=main, args=(task,), name=f"chasqui-{task.service}")
        process.start()
        return process

    async def _watch(self, worker: Worker) -> None:
        while True:
            await _ended(worker.process)
            if self._stopping or self._workers.get(worker.name) is not worker:
                return
            code = worker.process.exitcode or 0
            worker.deaths.append(code)
            log.warning("died", worker=worker.name, exit_code=code, restarts=worker.restarts)
            if self._on_death is not None:
                self._on_death(worker, code)
            worker.quick_deaths = quick_deaths(time.monotonic() - worker.started, worker.quick_deaths)
            await asyncio.sleep(pause_after(worker.quick_deaths))
            if self._stopping or self._workers.get(worker.name) is not worker:
                return
            worker.restarts += 1
            worker.started = time.monotonic()
            worker.process = self._spawn(worker.task)


def quick_deaths(lived_s: float, before: int) -> int:
    """How many times in a row a service has died at once, now that it died after `lived_s` seconds."""
    return before + 1 if lived_s < QUICK_DEATH_S else 0


def pause_after(deaths: int) -> float:
    """Seconds until a service is started again: none for one that had lived, longer and longer otherwise."""
    return min(FIRST_PAUSE_S * 2.0 ** min(deaths - 1, 16), LONGEST_PAUSE_S) if deaths else 0.0


async def _ended(process: ForkServerProcess) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(process.sentinel, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(process.sentinel)
    await asyncio.to_thread(process.join)
