"""Files from the scan into a package, and their pictures."""

from uuid import UUID

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
from libs.opsdb.projection.changes import NO_PROBLEM, Change, Upsert, problem_columns
from libs.opsdb.projection.folds.copies import Bytes, present_copy
from libs.opsdb.projection.tables import RAW_DATA_FILE, UNFILED_FILE

FROM_ANY = RAW_DATA_FILE.bits(*FileState)
FROM_BEFORE_PACKAGED = RAW_DATA_FILE.bits(*(s for s in FileState if s is not FileState.PACKAGED))
FROM_LOOKED_FOR = RAW_DATA_FILE.bits(FileState.FILED, FileState.MISSING)
FROM_BEFORE_PLANNED = RAW_DATA_FILE.bits(FileState.FILED, FileState.MISSING, FileState.SCANNED)

A_PERSON_DECIDES = "checksum_mismatch"
RENDERER_FAULTS = frozenset({"renderer_crashed", "renderer_timeout"})


def files_scanned(told: Envelope, event: FilesScanned) -> list[Change]:
    """Each file is there, and so is its copy in SOURCE."""
    found = {
        "state": FileState.SCANNED,
        **NO_PROBLEM,
        "raw_data_package_id": None,
        "scanned_at": told.time,
    }
    changes: list[Change] = []
    for file in event.files:
        scanned = {**found, "size": file.size, "mtime_ns": file.mtime_ns}
        changes.append(Upsert(RAW_DATA_FILE, (file.file_id,), scanned, FROM_BEFORE_PLANNED))
        changes += present_copy(
            Bytes(CopyKind.RAW_DATA_FILE, file.file_id, event.location, file.path, file.size), told.time
        )
    return changes


def files_scanned_again(told: Envelope, event: FilesScanned) -> list[Change]:
    """A repeat: a file that is looked for was found as it had been found before. Its copy is known."""
    found = {
        "state": FileState.SCANNED,
        **NO_PROBLEM,
        "raw_data_package_id": None,
        "scanned_at": told.time,
    }
    return [
        Upsert(
            RAW_DATA_FILE,
            (file.file_id,),
            {**found, "size": file.size, "mtime_ns": file.mtime_ns},
            FROM_LOOKED_FOR,
        )
        for file in event.files
    ]


def files_missing(_told: Envelope, event: FilesMissing) -> list[Change]:
    """Each file is still looked for, and its absence known."""
    return _missing(event, FROM_BEFORE_PLANNED)


def files_missing_again(_told: Envelope, event: FilesMissing) -> list[Change]:
    """A repeat: a file that was found in between and is looked for again is missing once more."""
    return _missing(event, FROM_LOOKED_FOR)


def _missing(event: FilesMissing, guard: int) -> list[Change]:
    return [_with_problem(file, FileState.MISSING, guard) for file in event.files]


def files_unfiled(told: Envelope, event: FilesUnfiled) -> list[Change]:
    """Nobody filed these."""
    return [
        Upsert(
            UNFILED_FILE,
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


def files_refused(_told: Envelope, event: FilesRefused) -> list[Change]:
    """The scanner looks again, or a person decides."""
    return [_with_problem(file, _state_of_refused(file), FROM_BEFORE_PACKAGED) for file in event.files]


def _state_of_refused(file: ProblemFile) -> FileState:
    return FileState.REFUSED if file.problem.code == A_PERSON_DECIDES else FileState.FILED


def _with_problem(file: ProblemFile, state: FileState, guard: int) -> Upsert:
    columns = {"state": state, **problem_columns(file.problem), "raw_data_package_id": None}
    return Upsert(RAW_DATA_FILE, (file.file_id,), columns, guard)


def files_assigned(_told: Envelope, event: FilesAssigned) -> list[Change]:
    """Each file will travel in that package."""
    columns = {"state": FileState.PLANNED, **NO_PROBLEM, "raw_data_package_id": event.package_id}
    return [Upsert(RAW_DATA_FILE, (file,), columns, FROM_BEFORE_PACKAGED) for file in event.file_ids]


def files_packaged(told: Envelope, event: FilesPackaged) -> list[Change]:
    """Each file is in the package, with its checksum. Nothing leads back from here."""
    common = {
        "state": FileState.PACKAGED,
        **NO_PROBLEM,
        "raw_data_package_id": event.package_id,
        "packaged_at": told.time,
    }
    return [
        Upsert(
            RAW_DATA_FILE,
            (file.file_id,),
            {**common, "sha256": file.sha256, "tar_offset": file.offset},
            FROM_ANY,
        )
        for file in event.files
    ]


def asset_rendered(_told: Envelope, event: AssetRendered) -> list[Change]:
    """Each file has pictures."""
    return [
        _preview(
            asset.file_id,
            PreviewState.RENDERED,
            thumbnail_path=asset.thumbnail,
            preview_path=asset.preview,
            preview_etag=asset.etag,
            preview_width=asset.width,
            preview_height=asset.height,
        )
        for asset in event.assets
    ]


def render_failed(_told: Envelope, event: RenderFailed) -> list[Change]:
    """Each file has none, for its reason."""
    return [
        _preview(
            file.file_id,
            PreviewState.FAILED if file.problem.code in RENDERER_FAULTS else PreviewState.NO_PREVIEW,
            preview_code=file.problem.code,
            preview_reason=file.problem.reason,
        )
        for file in event.files
    ]


_NO_PREVIEW = dict.fromkeys(
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


def _preview(file_id: UUID, state: PreviewState, **columns: object) -> Upsert:
    return Upsert(RAW_DATA_FILE, (file_id,), {"preview_state": state, **_NO_PREVIEW, **columns})
