"""The live page: a few files of this package, without anything from elsewhere."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files

from fastapi import APIRouter, Request, Response

from services.gateway.pictures import client_has

_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page."""

    content: bytes
    media_type: str
    etag: str


def load_page() -> dict[str, Asset]:
    """The page's files by name; read once, when the gateway is composed."""
    folder = files("services.gateway") / "page"
    found = {}
    for name, media_type in _TYPES.items():
        content = (folder / name).read_bytes()
        found[name] = Asset(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
    return found


def router(page: dict[str, Asset]) -> APIRouter:
    """The addresses of the page."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    async def index(request: Request) -> Response:
        return _answer(page["index.html"], request)

    @routes.get("/page.css")
    async def style(request: Request) -> Response:
        return _answer(page["page.css"], request)

    @routes.get("/page.js")
    async def script(request: Request) -> Response:
        return _answer(page["page.js"], request)

    @routes.get("/icon.svg")
    async def icon(request: Request) -> Response:
        return _answer(page["icon.svg"], request)

    return routes


def _answer(asset: Asset, request: Request) -> Response:
    headers = {"etag": asset.etag, "cache-control": "no-cache"}
    if client_has(request.headers.get("if-none-match", ""), asset.etag):
        return Response(status_code=304, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)
