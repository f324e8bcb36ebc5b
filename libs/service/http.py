"""Serving an ASGI application inside a service's own event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI

from libs.errors import UserError


@asynccontextmanager
async def serve(app: FastAPI, *, host: str, port: int) -> AsyncIterator[str]:
    """Serve `app` while the block runs; yields its base URL.

    Args:
        app: The application.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.

    Raises:
        UserError: ``port_in_use``.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UserError(
            "port_in_use",
            f"cannot listen on {host}:{port}: {error}",
            "Choose another port, or 0 for a free one.",
        ) from error
    server = _Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.ready(task)
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


class _Server(uvicorn.Server):
    """A server that leaves signals to the service around it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def ready(self, task: asyncio.Task[None]) -> None:
        """Wait until it listens, or until it failed to."""
        while not self.started:
            if task.done():
                await task
                return
            await asyncio.sleep(0.01)
