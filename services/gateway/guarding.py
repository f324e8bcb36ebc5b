"""What holds for every request: headers of safety, HEAD and OPTIONS, and who may send one.

Without authentication, a browser on the operator's machine is the way in for strangers: another site's page may
post to 127.0.0.1, or have its own name resolve to it. So a request that changes something must come from the
page itself or from no browser at all, and a listener on the loopback answers to no other host's name.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.problems import Problem
from services.gateway.answers import problem_answer

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}

STREAMS = frozenset({"/events"})
"""Addresses whose answer never ends: HEAD must not begin them."""


def refusal_of(method: str, headers: Headers, listening_on: str) -> Problem | None:
    """Why a request is not let in, if it is not.

    Args:
        method: Of the request.
        headers: Of the request.
        listening_on: The host that the gateway listens on.
    """
    host = headers.get("host", "")
    if listening_on in LOOPBACK and urlsplit(f"//{host}").hostname not in LOOPBACK:
        return Problem(
            code="misdirected",
            reason=f"the request is for the host {host[:100]!r}, and the gateway listens for this machine only",
            remedy="Ask 127.0.0.1 or localhost, or have the deployment file say where to listen.",
        )
    origin = headers.get("origin")
    if method not in SAFE and origin is not None and urlsplit(origin).netloc != host:
        return Problem(
            code="cross_origin",
            reason=f"a page of {origin[:100]!r} may not change anything here",
            remedy="Send the request from the gateway's own page, or without a browser.",
        )
    return None


def allowed_methods(routes: Iterable[BaseRoute], scope: Scope) -> str:
    """The methods of the address in a scope, as the header Allow has them."""
    routes = list(routes)
    known = [m for m in METHODS if any(_matches(route, {**scope, "method": m}) for route in routes)]
    head = ["HEAD"] if "GET" in known else []
    return ", ".join([*known, *head, "OPTIONS"])


def _matches(route: BaseRoute, scope: Scope) -> bool:
    return route.matches(scope)[0] is Match.FULL


class Guard:
    """Wraps the application.

    Args:
        app: What answers the requests that are let in.
        routes: Its routes.
        listening_on: The host that the gateway listens on.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute], listening_on: str) -> None:
        self._app = app
        self._routes = tuple(routes)
        self._listening_on = listening_on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; anything but HTTP is passed on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = self._own_answer(scope)
        sender = _Sender(send, without_body=scope["method"] == "HEAD")
        if answer is not None:
            await answer(scope, receive, sender)
            return
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        await self._app({**scope, "method": method}, receive, sender)

    def _own_answer(self, scope: Scope) -> Response | None:
        method, path = scope["method"], scope["path"]
        if problem := refusal_of(method, Headers(scope=scope), self._listening_on):
            return problem_answer(problem, 421 if problem.code == "misdirected" else 403)
        if method == "OPTIONS":
            return Response(status_code=204, headers={"allow": allowed_methods(self._routes, scope)})
        if method == "HEAD" and path in STREAMS:
            return Response(status_code=200, media_type="text/event-stream")
        return None


class _Sender:
    """Adds the headers of safety, and leaves the body out of an answer to HEAD."""

    def __init__(self, send: Send, *, without_body: bool) -> None:
        self._send = send
        self._without_body = without_body

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
        elif self._without_body and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)
