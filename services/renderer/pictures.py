"""The picture files of a site's preview folder. Everything here blocks: it runs in threads."""

import hashlib
import struct
from pathlib import Path
from uuid import UUID

from contracts.files import RenderedAsset
from libs.imaging.outcomes import Rendered
from libs.storage.partials import write_whole

_PNG_START = b"\x89PNG\r\n\x1a\n"
_IHDR = struct.Struct(">4x4sII")
_HEADER_BYTES = len(_PNG_START) + _IHDR.size


def thumbnail_path(file_id: UUID) -> str:
    """Where a file's thumbnail is, relative to the preview folder."""
    return f"{file_id.hex[:2]}/{file_id}-thumbnail.png"


def preview_path(file_id: UUID) -> str:
    """Where a file's preview is, relative to the preview folder."""
    return f"{file_id.hex[:2]}/{file_id}-preview.png"


def keep(previews: Path, file_id: UUID, rendered: Rendered) -> RenderedAsset:
    """Write both pictures, each whole or not at all. A renderer that was paused writes nothing over its successor's.

    Raises:
        Retriable: ``disk_full``.
        Overtaken: A successor renders the files, or has rendered them.
    """
    write_whole(previews / thumbnail_path(file_id), rendered.thumbnail.png)
    write_whole(previews / preview_path(file_id), rendered.preview.png)
    picture = rendered.preview
    return _asset(file_id, picture.etag, picture.width, picture.height)


def kept(previews: Path, file_id: UUID) -> RenderedAsset | None:
    """What an earlier run rendered; None without both pictures.

    A repeat may come after the janitor has cleared the file: what is said of it must not change then.
    """
    try:
        png = (previews / preview_path(file_id)).read_bytes()
    except FileNotFoundError:
        return None
    size = _size_of(png)
    if size is None or not (previews / thumbnail_path(file_id)).is_file():
        return None
    return _asset(file_id, hashlib.sha256(png).hexdigest(), *size)


def _asset(file_id: UUID, etag: str, width: int, height: int) -> RenderedAsset:
    return RenderedAsset(
        file_id=file_id,
        thumbnail=thumbnail_path(file_id),
        preview=preview_path(file_id),
        etag=etag,
        width=width,
        height=height,
    )


def _size_of(png: bytes) -> tuple[int, int] | None:
    """Width and height in pixels: the first chunk of a PNG (its specification, section 11.2.2)."""
    if len(png) < _HEADER_BYTES or not png.startswith(_PNG_START):
        return None
    kind, width, height = _IHDR.unpack_from(png, len(_PNG_START))
    return (width, height) if kind == b"IHDR" else None
