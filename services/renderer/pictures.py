"""The picture files of a site's preview folder. Everything here blocks: it runs in threads."""

import hashlib
from io import BytesIO
from pathlib import Path
from uuid import UUID

from PIL import Image, UnidentifiedImageError

from contracts.files import RenderedAsset
from libs.imaging.outcomes import PictureFormat, Rendered
from libs.storage.partials import write_whole


def thumbnail_path(file_id: UUID, form: PictureFormat) -> str:
    """Where a file's thumbnail is, relative to the preview folder."""
    return f"{file_id.hex[:2]}/{file_id}-thumbnail.{form}"


def preview_path(file_id: UUID, form: PictureFormat) -> str:
    """Where a file's preview is, relative to the preview folder."""
    return f"{file_id.hex[:2]}/{file_id}-preview.{form}"


def keep(previews: Path, file_id: UUID, rendered: Rendered) -> RenderedAsset:
    """Write both pictures, each whole or not at all. A renderer that was paused writes nothing over its successor's.

    Raises:
        Retriable: ``disk_full``.
        Overtaken: A successor renders the files, or has rendered them.
    """
    thumbnail = thumbnail_path(file_id, rendered.thumbnail.format)
    preview = preview_path(file_id, rendered.preview.format)
    write_whole(previews / thumbnail, rendered.thumbnail.data)
    write_whole(previews / preview, rendered.preview.data)
    picture = rendered.preview
    return RenderedAsset(
        file_id=file_id,
        thumbnail=thumbnail,
        preview=preview,
        etag=picture.etag,
        width=picture.width,
        height=picture.height,
    )


def kept(previews: Path, file_id: UUID) -> RenderedAsset | None:
    """What an earlier run rendered last; None without both pictures.

    A repeat may come after the janitor has cleared the file: what is said of it must not change then.
    """
    thumbnail = _newest(previews, [thumbnail_path(file_id, form) for form in PictureFormat])
    preview = _newest(previews, [preview_path(file_id, form) for form in PictureFormat])
    if thumbnail is None or preview is None:
        return None
    data = (previews / preview).read_bytes()
    try:
        with Image.open(BytesIO(data)) as picture:
            width, height = picture.size
    except UnidentifiedImageError:
        return None
    etag = hashlib.sha256(data).hexdigest()
    return RenderedAsset(
        file_id=file_id, thumbnail=thumbnail, preview=preview, etag=etag, width=width, height=height
    )


def _newest(previews: Path, paths: list[str]) -> str | None:
    """Of a picture's files in several formats the one that was written last."""
    there = [path for path in paths if (previews / path).is_file()]
    return max(there, key=lambda path: (previews / path).stat().st_mtime_ns, default=None)
