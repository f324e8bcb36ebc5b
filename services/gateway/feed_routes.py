"""The address of the live feed: server-sent events, which browsers resume by themselves."""

import asyncio

from fastapi import APIRouter, Request, Response
from starlette.types import Receive, Scope, Send

from libs.ending import end
from services.gateway.feed import Feed, Listener, Positions, cursor_of, read_cursor

SIGN_OF_LIFE_S = 10.0
RETRY_MS = 2_000


class FeedResponse(Response):
    """Sends one client what comes, until it goes, is too slow, or the gateway stops.

    Args:
        feed: Where it comes from.
        since: What the client has; None for what happens from now on.
    """

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, since: Positions | None) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._feed = feed
        self._since = since

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI's signature
        """Answer; a client that takes nothing more is left by cutting its connection."""
        with self._feed.listening() as listener:
            writing = asyncio.create_task(self._write(listener, send))
            leaving = asyncio.create_task(_until_gone(receive))
            over = asyncio.create_task(listener.over.wait())
            try:
                await asyncio.wait({writing, leaving, over}, return_when=asyncio.FIRST_COMPLETED)
                if over.done():
                    await asyncio.wait({writing}, timeout=1.0)
            finally:
                await end(writing, leaving, over)
        if writing.done() and not writing.cancelled() and (error := writing.exception()):
            raise error

    async def _write(self, listener: Listener, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        hello = f"retry: {RETRY_MS}\nid: {cursor_of(listener.begins)}\nevent: hello\ndata: {{}}\n\n"
        if self._since is None:
            await _send(send, hello.encode())
        else:
            async for data in self._feed.missed(self._since, listener.begins):
                await _send(send, data)
        while not listener.over.is_set():
            await _send(send, await listener.take(SIGN_OF_LIFE_S) or b": still here\n\n")
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def router(feed: Feed) -> APIRouter:
    """The address."""
    routes = APIRouter(tags=["feed"])

    @routes.get("/events", response_class=FeedResponse)
    async def events(request: Request) -> Response:
        """The envelopes of this site's streams as they come; Last-Event-ID resumes after that one."""
        last = request.headers.get("last-event-id")
        return FeedResponse(feed, read_cursor(last) if last else None)

    return routes


async def _send(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
