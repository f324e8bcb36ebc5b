"""A TCP link that can be cut and healed, in two ways in which links are cut."""

import asyncio
from contextlib import suppress
from enum import Enum

from tests.support.own_loop import LOCALHOST, OwnLoopServer, close, reset

_BLOCK = 1 << 16


class State(Enum):
    """What happens to the bytes."""

    WHOLE = "whole"
    """They pass."""
    RESET = "reset"
    """Connections are reset, and new ones, too."""
    SILENT = "silent"
    """Nothing passes, and nobody is told: a cable was pulled."""


class Link(OwnLoopServer):
    """Hands connections on to a port of this machine.

    Args:
        target: The port.
    """

    def __init__(self, target: int) -> None:
        super().__init__()
        self.target = target
        self._state = State.WHOLE
        self._ends: set[asyncio.StreamWriter] = set()
        self._healed = asyncio.Event()

    def be(self, state: State) -> None:
        """Cut or heal the link; from any thread."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._become, state)

    def _become(self, state: State) -> None:
        self._state = state
        if state is State.RESET:
            for end in self._ends:
                reset(end)
        if state is State.SILENT:
            self._healed.clear()
        else:
            self._healed.set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if self._state is State.RESET:
            reset(writer)
            return
        await self._passing()
        there_reader, there = await asyncio.open_connection(LOCALHOST, self.target)
        self._ends |= {writer, there}
        try:
            pumps = [
                asyncio.create_task(self._pump(reader, there)),
                asyncio.create_task(self._pump(there_reader, writer)),
            ]
            _, left = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in left:
                pump.cancel()
            await asyncio.wait(pumps)
        finally:
            self._ends -= {writer, there}
            await close(there)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while block := await reader.read(_BLOCK):
                await self._passing()
                writer.write(block)
                await writer.drain()

    async def _passing(self) -> None:
        if self._state is State.SILENT:
            await self._healed.wait()
