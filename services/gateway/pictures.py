"""Thumbnails and previews, from the folder in which the renderer of this site keeps them."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Final
from uuid import UUID

import aiofiles
from fastapi import APIRouter, Request, Response

from contracts.states import PreviewState
from libs.errors import UserError
from libs.storage.paths import resolve_inside
from services.gateway.knowing import Knowing

MEDIA_TYPES: Final = {".png": "image/png", ".webp": "image/webp"}
CACHE_SHORTLY: Final = "private, max-age=60"
CACHE_FOR_EVER: Final = "private, max-age=31536000, immutable"
_QUERY = """
    SELECT preview_state::text AS preview_state, preview_code, preview_reason, preview_etag,
        thumbnail_path, preview_path
    FROM raw_data_file WHERE id = $1
"""


class Kind(StrEnum):
    """The sizes of a picture."""

    THUMBNAIL = "thumbnail"
    """For lists."""
    PREVIEW = "preview"
    """For a closer look."""


class Pictures:
    """The pictures of a site.

    Args:
        knowing: Which files have one.
        folder: Where they are.
    """

    def __init__(self, knowing: Knowing, folder: Path) -> None:
        self._knowing = knowing
        self._folder = folder

    async def answer(self, file: UUID, kind: Kind, request: Request) -> Response:
        """The picture, or 304 if the client has it.

        Raises:
            UserError: ``unknown_raw_data_file`` or ``no_preview``.
        """
        row = await self._knowing.opsdb.fetchrow(_QUERY, file)
        if row is None:
            raise UserError("unknown_raw_data_file", f"nothing here is a file {file}", "Check the id.")
        if row["preview_state"] != PreviewState.RENDERED:
            raise _no_preview(_why(row["preview_state"], row["preview_code"], row["preview_reason"]))
        etag = f'"{row["preview_etag"]}-{kind}"'
        is_this_version = request.query_params.get("v") == row["preview_etag"]
        headers = {"etag": etag, "cache-control": CACHE_FOR_EVER if is_this_version else CACHE_SHORTLY}
        if client_has(request.headers.get("if-none-match", ""), etag):
            return Response(status_code=304, headers=headers)
        path = row[f"{kind}_path"]
        picture = await self._read(path)
        return Response(picture, media_type=MEDIA_TYPES.get(Path(path).suffix, "image/png"), headers=headers)

    async def _read(self, path: str) -> bytes:
        try:
            inside = await asyncio.to_thread(resolve_inside, self._folder, path)
            async with aiofiles.open(inside, "rb") as picture:
                return await picture.read()
        except (OSError, UserError) as error:
            raise _no_preview(
                "it was rendered, but its picture is not at this site: ask the gateway of the instrument's site"
            ) from error


def client_has(if_none_match: str, etag: str) -> bool:
    """Whether the header If-None-Match names a version (weakly compared) or any."""
    named = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etag in named or "*" in named


def router(pictures: Pictures) -> APIRouter:
    """The addresses."""
    routes = APIRouter(tags=["pictures"])

    @routes.get("/raw_data_files/{raw_data_file_id}/thumbnail", response_class=Response)
    async def thumbnail(raw_data_file_id: UUID, request: Request) -> Response:
        """A small picture (PNG or WebP). With ``?v=`` and the file's preview_etag it may be kept for ever."""
        return await pictures.answer(raw_data_file_id, Kind.THUMBNAIL, request)

    @routes.get("/raw_data_files/{raw_data_file_id}/preview", response_class=Response)
    async def preview(raw_data_file_id: UUID, request: Request) -> Response:
        """A large picture (PNG or WebP). With ``?v=`` and the file's preview_etag it may be kept for ever."""
        return await pictures.answer(raw_data_file_id, Kind.PREVIEW, request)

    return routes


def _why(state: str, code: str | None, reason: str | None) -> str:
    if state == PreviewState.PENDING:
        return "the renderer has not looked at it yet"
    return f"{reason or 'there is nothing to show'} ({code or 'no code'})"


def _no_preview(why: str) -> UserError:
    return UserError("no_preview", f"no preview: {why}", "Open the file itself, staged, if it must be seen.")
