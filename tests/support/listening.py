"""A tiny TCP server whose behaviour a test writes down, such as saying nothing at all."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

RECEIVE_BUFFER = 1 << 16
"""Bytes the kernel takes before a conversation reads them, roughly."""


async def silence(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Hold a connection and never say a word."""
    await asyncio.sleep(3600)


@asynccontextmanager
async def listening(conversation: Conversation) -> AsyncIterator[str]:
    """Hold a conversation over each connection; yields the address, ``http://127.0.0.1:PORT``."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await conversation(reader, writer)
        finally:
            writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.create_task(talk(reader, writer)))

    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    bound.bind(("127.0.0.1", 0))
    server = await asyncio.start_server(connected, sock=bound)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await server.wait_closed()
