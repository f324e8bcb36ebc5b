"""The pulse: felt across tasks and threads, silent when nothing moves, patient during a leave."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from libs.bus.pulse import Pulse, beat, current, felt, leave, turn
from libs.service.telling import Board


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_silence_lasts_from_the_last_beat() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    clock.now += 7
    assert pulse.silent_for() == 7
    pulse.beat()
    clock.now += 2
    assert pulse.silent_for() == 2


def test_a_leave_is_no_silence_until_it_is_over() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    with pulse.leave(60):
        clock.now += 59
        assert pulse.silent_for() == 0
        clock.now += 11
        assert pulse.silent_for() == 10
    assert pulse.silent_for() == 0


def test_of_two_leaves_the_longer_one_counts_while_it_lasts() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    with pulse.leave(100):
        with pulse.leave(10):
            clock.now += 50
        clock.now += 40
        assert pulse.silent_for() == 0
    clock.now += 5
    assert pulse.silent_for() == 5


async def test_tasks_and_threads_beat_the_pulse_of_their_handler() -> None:
    clock = Clock()
    pulse = Pulse(clock)

    async def in_a_task() -> None:
        beat()

    def in_a_pool() -> None:
        beat()

    with felt(pulse), ThreadPoolExecutor(1) as pool:
        for work in (
            lambda: asyncio.create_task(in_a_task()),
            lambda: asyncio.to_thread(beat),
            lambda: asyncio.get_running_loop().run_in_executor(pool, copy_context().run, in_a_pool),
        ):
            clock.now += 5
            assert pulse.silent_for() == 5
            await work()
            assert pulse.silent_for() == 0


async def test_beats_outside_of_a_handler_go_nowhere() -> None:
    pulse = Pulse(clock := Clock())
    clock.now += 3
    beat()
    with leave(10):
        current().beat()
    assert pulse.silent_for() == 3


async def test_waiting_for_a_turn_is_no_standstill() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    gate = asyncio.Lock()
    await gate.acquire()

    async def wait() -> None:
        async with turn(gate, longest_s=100):
            clock.now += 20

    with felt(pulse):
        waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    clock.now += 99
    assert pulse.silent_for() == 0
    gate.release()
    await waiting
    assert pulse.silent_for() == 20
    assert not gate.locked()


@pytest.mark.parametrize("gate", [asyncio.Semaphore(1), asyncio.Lock()])
async def test_a_turn_that_is_given_up_is_nobody_s(gate: asyncio.Semaphore | asyncio.Lock) -> None:
    async with turn(gate):
        waiting = asyncio.create_task(_take(gate))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    async with asyncio.timeout(5), turn(gate):
        assert gate.locked()


async def _take(gate: asyncio.Semaphore | asyncio.Lock) -> None:
    async with turn(gate):
        pass


def test_a_board_beats_only_when_more_is_done() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    with felt(pulse):
        board = Board()
    clock.now += 5
    board.show(done=0, rate=12)
    board.show(eta_s=3)
    assert pulse.silent_for() == 5
    board.show(done=1)
    assert pulse.silent_for() == 0
