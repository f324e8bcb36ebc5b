"""Asks a local HTTP server whether it is there, without a client library's start-up cost."""

import asyncio

from libs.embedded.ports import LOCALHOST

PROBE_TIMEOUT_S = 5.0
HTTP_OK = b"200"


async def http_ok(port: int, path: str) -> bool:
    """Return whether GET `path` on 127.0.0.1:`port` answers 200; False also when nobody answers."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            return await _status(port, path) == HTTP_OK
    except (OSError, TimeoutError):
        return False


async def _status(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection(LOCALHOST, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {LOCALHOST}\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        words = (await reader.readline()).split(maxsplit=2)
        return words[1] if len(words) > 1 else b""
    finally:
        writer.close()
        await writer.wait_closed()
