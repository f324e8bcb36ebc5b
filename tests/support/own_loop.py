"""A TCP server with a thread and an event loop of its own: it goes on whatever the test's loop is busy with."""

import asyncio
import socket
import struct
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from types import TracebackType
from typing import Self

LOCALHOST = "127.0.0.1"
_RESET = struct.pack("ii", 1, 0)


class OwnLoopServer(ABC):
    """Listens on 127.0.0.1 while it is entered.

    Attributes:
        port: Where, once it is entered.
    """

    def __init__(self) -> None:
        self.port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @abstractmethod
    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection; runs in the server's own loop."""

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._handle, LOCALHOST, 0, limit=1 << 18)
        self.port = int(server.sockets[0].getsockname()[1])
        self._ready.set()
        await self._stop.wait()
        server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.handle(reader, writer)
        except (OSError, EOFError):
            reset(writer)
        except asyncio.CancelledError:  # the end of the server; asyncio would report it as lost
            return
        finally:
            await close(writer)


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection at once, as a machine that fails or a firewall that has had enough does."""
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


async def close(writer: asyncio.StreamWriter) -> None:
    """End a connection in order."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
