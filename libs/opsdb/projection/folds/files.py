"""Files from the scan into a package, and their pictures."""

from contracts.envelope import Envelope
from contracts.files import (
    AssetRendered,
    FilesAssigned,
    FilesMissing,
    FilesPackaged,
    FilesRefused,
    FilesScanned,
    FilesUnfiled,
    ProblemFile,
    RenderFailed,
)
from contracts.states import CopyKind, FileState, PreviewState
from libs.opsdb.models.files import unfiled_file_id
from libs.opsdb.projection.changes import NO_PROBLEM, Change, Key, Upsert, Values, problem_columns
from libs.opsdb.projection.folds.copies import Bytes, present_copies
from libs.opsdb.projection.tables import RAW_DATA_FILE, UNFILED_FILE

FROM_ANY = RAW_DATA_FILE.bits(*FileState)
FROM_BEFORE_PACKAGED = RAW_DATA_FILE.bits(*(s for s in FileState if s is not FileState.PACKAGED))
FROM_BEFORE_PLANNED = RAW_DATA_FILE.bits(FileState.FILED, FileState.MISSING, FileState.SCANNED)

A_PERSON_DECIDES = "checksum_mismatch"
RENDERER_FAULTS = frozenset({"renderer_crashed", "renderer_timeout", "render_given_up"})


def files_scanned(told: Envelope, event: FilesScanned) -> list[Change]:
    """Each file is there, and so is its copy in SOURCE."""
    found = {
        "state": FileState.SCANNED,
        **NO_PROBLEM,
        "raw_data_package_id": None,
        "scanned_at": told.time,
    }
    rows = [((f.file_id,), {**found, "size": f.size, "mtime_ns": f.mtime_ns}) for f in event.files]
    there = [Bytes(file.file_id, file.path, file.size) for file in event.files]
    return [
        Upsert(RAW_DATA_FILE, rows, FROM_BEFORE_PLANNED),
        *present_copies(CopyKind.RAW_DATA_FILE, event.location, there, told.time),
    ]


def files_missing(_told: Envelope, event: FilesMissing) -> list[Change]:
    """Each file is still looked for, and its absence known."""
    rows = [_with_problem(file, FileState.MISSING) for file in event.files]
    return [Upsert(RAW_DATA_FILE, rows, FROM_BEFORE_PLANNED)]


def files_unfiled(told: Envelope, event: FilesUnfiled) -> list[Change]:
    """Nobody filed these."""
    rows = [
        (
            (unfiled_file_id(event.location, file.path),),
            {
                "location": event.location,
                "path": file.path,
                "size": file.size,
                "mtime_ns": file.mtime_ns,
                **problem_columns(file.problem),
                "found_at": told.time,
            },
        )
        for file in event.files
    ]
    return [Upsert(UNFILED_FILE, rows)]


def files_refused(_told: Envelope, event: FilesRefused) -> list[Change]:
    """The scanner looks again, or a person decides."""
    rows = [_with_problem(file, _state_of_refused(file)) for file in event.files]
    return [Upsert(RAW_DATA_FILE, rows, FROM_BEFORE_PACKAGED)]


def _state_of_refused(file: ProblemFile) -> FileState:
    return FileState.REFUSED if file.problem.code == A_PERSON_DECIDES else FileState.FILED


def _with_problem(file: ProblemFile, state: FileState) -> tuple[Key, Values]:
    columns = {"state": state, **problem_columns(file.problem), "raw_data_package_id": None}
    return (file.file_id,), columns


def files_assigned(_told: Envelope, event: FilesAssigned) -> list[Change]:
    """Each file will travel in that package."""
    columns = {"state": FileState.PLANNED, **NO_PROBLEM, "raw_data_package_id": event.package_id}
    return [Upsert(RAW_DATA_FILE, [((file,), columns) for file in event.file_ids], FROM_BEFORE_PACKAGED)]


def files_packaged(told: Envelope, event: FilesPackaged) -> list[Change]:
    """Each file is in the package, with its checksum. Nothing leads back from here."""
    common = {
        "state": FileState.PACKAGED,
        **NO_PROBLEM,
        "raw_data_package_id": event.package_id,
        "packaged_at": told.time,
    }
    rows = [
        ((file.file_id,), {**common, "sha256": file.sha256, "tar_offset": file.offset})
        for file in event.files
    ]
    return [Upsert(RAW_DATA_FILE, rows, FROM_ANY)]


def asset_rendered(_told: Envelope, event: AssetRendered) -> list[Change]:
    """Each file has pictures."""
    common = {**_NO_PREVIEW, "preview_state": PreviewState.RENDERED}
    rows = [
        (
            (asset.file_id,),
            {
                **common,
                "thumbnail_path": asset.thumbnail,
                "preview_path": asset.preview,
                "preview_etag": asset.etag,
                "preview_width": asset.width,
                "preview_height": asset.height,
            },
        )
        for asset in event.assets
    ]
    return [Upsert(RAW_DATA_FILE, rows)]


def render_failed(_told: Envelope, event: RenderFailed) -> list[Change]:
    """Each file has none, for its reason."""
    rows = [
        (
            (file.file_id,),
            {
                **_NO_PREVIEW,
                "preview_state": _state_without_preview(file),
                "preview_code": file.problem.code,
                "preview_reason": file.problem.reason,
            },
        )
        for file in event.files
    ]
    return [Upsert(RAW_DATA_FILE, rows)]


def _state_without_preview(file: ProblemFile) -> PreviewState:
    return PreviewState.FAILED if file.problem.code in RENDERER_FAULTS else PreviewState.NO_PREVIEW


_NO_PREVIEW: Values = dict.fromkeys(
    (
        "preview_code",
        "preview_reason",
        "thumbnail_path",
        "preview_path",
        "preview_etag",
        "preview_width",
        "preview_height",
    )
)
