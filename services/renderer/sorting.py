"""Which files are worth a worker's time: a look at names and first bytes. Everything here blocks."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from contracts.files import ProblemFile, ScannedFile
from contracts.problems import Problem
from libs.bus.pulse import beat
from libs.errors import Retriable, UserError
from libs.imaging.outcomes import NoPreview, NoPreviewCode
from libs.imaging.signature import read_signature, refusal_of
from libs.storage.paths import resolve_inside

VANISHED = "file_vanished"

_REMEDIES = {
    NoPreviewCode.EMPTY_FILE: "Nothing, if the instrument writes empty files on purpose.",
    NoPreviewCode.UNREADABLE: "Make the file readable for the service's user.",
    NoPreviewCode.TRUNCATED: "Look whether the instrument wrote the whole file; it is kept as it is.",
    NoPreviewCode.DAMAGED: "Look at the file with a FITS verifier; it is kept as it is.",
    NoPreviewCode.RENDERER_CRASHED: "Report the file as a defect of the renderer; its data are safe.",
    NoPreviewCode.RENDERER_TIMEOUT: "Nothing, if it is very large; otherwise look how busy the machine is.",
}
_NOTHING_TO_SHOW = "Nothing: there is no image to show in it."


@dataclass(frozen=True, slots=True)
class Image:
    """A file that begins as FITS does."""

    file: ScannedFile
    path: Path


@dataclass(frozen=True, slots=True)
class Sorted:
    """Files that may hold an image, and the others, each with its reason."""

    images: tuple[Image, ...]
    others: tuple[ProblemFile, ...]


def sort(root: Path, files: Iterable[ScannedFile]) -> Sorted:
    """Look at the first bytes of each file, without following links.

    Raises:
        Retriable: ``location_missing``: without its disk every file would seem to have vanished.
    """
    if not root.is_dir():
        raise Retriable("location_missing", f"{root} is not there", "Mount the location or correct its path.")
    images: list[Image] = []
    others: list[ProblemFile] = []
    for file in files:
        beat()
        found = _look(root, file)
        if isinstance(found, Path):
            images.append(Image(file, found))
        else:
            others.append(ProblemFile(file_id=file.file_id, path=file.path, problem=found))
    return Sorted(tuple(images), tuple(others))


def _look(root: Path, file: ScannedFile) -> Path | Problem:
    try:
        path = resolve_inside(root, file.path)
        refusal = refusal_of(read_signature(path))
    except UserError as error:
        return error.problem
    except (FileNotFoundError, NotADirectoryError):
        return vanished(file.path)
    except OSError as error:
        refusal = NoPreview(code=NoPreviewCode.UNREADABLE, reason=error.strerror or str(error))
    return path if refusal is None else problem_of(refusal)


def problem_of(refusal: NoPreview) -> Problem:
    """Why a file has no pictures, with what can be done about it."""
    return Problem(
        code=refusal.code.value,
        reason=refusal.reason,
        remedy=_REMEDIES.get(refusal.code, _NOTHING_TO_SHOW),
    )


def vanished(path: str) -> Problem:
    """The problem of a file that was there when it was scanned."""
    return Problem(
        code=VANISHED,
        reason=f"{path!r} is no longer there",
        remedy="Nothing, if it was archived and cleared before it could be rendered.",
    )
