"""What is said of a package that was built, or could not be."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from contracts.base import Event
from contracts.files import FilesPackaged, FilesRefused, PackagedFile, ProblemFile
from contracts.packages import PackageAbandoned, PackagePlanned, PackageRecord, PackageSealed
from contracts.problems import Problem
from libs.bus.parts import in_parts
from libs.packaging import BadFile, FileFault
from services.packager.building import Sealed

_LOOKED_AT_AGAIN = "Nothing to do: it is scanned again, and packed once it is there, whole and quiet."
REMEDIES: Mapping[FileFault, str] = {
    FileFault.FILE_CHANGED: _LOOKED_AT_AGAIN,
    FileFault.FILE_VANISHED: "Put the file back; it is packed once it is there again.",
    FileFault.FILE_UNREADABLE: "Make the file readable for the service's user; it is scanned again by itself.",
    FileFault.NOT_A_REGULAR_FILE: "Put a regular file in its place; it is scanned again by itself.",
    FileFault.CHECKSUM_MISMATCH: "Compare the file with the instrument's own, then file it again with the right "
    "sha256, or replace the file.",
}


def sealed_events(plan: PackagePlanned, path: str, sealed: Sealed, ids: Mapping[str, UUID]) -> list[Event]:
    """The package is whole: its files' checksums and offsets, then the package itself.

    Args:
        plan: What was to be built.
        path: Where it is, relative to its BUFFER.
        sealed: What was built.
        ids: The file ids by path.
    """
    unit = plan.provenance.executed_obs_unit_id
    files = [PackagedFile(file_id=ids[f.path], sha256=f.sha256, offset=f.offset) for f in sealed.files]
    parts = in_parts(
        files,
        lambda chunk, part, total: FilesPackaged(
            package_id=plan.package_id, executed_obs_unit_id=unit, files=chunk, part=part, parts=total
        ),
    )
    record = PackageRecord(
        package_id=plan.package_id,
        name=plan.name,
        size=sealed.size,
        sha256=sealed.sha256,
        file_count=sealed.file_count,
        payload_bytes=sealed.payload_bytes,
        priority=plan.priority,
        provenance=plan.provenance,
    )
    return [*parts, PackageSealed(package=record, source=plan.source, buffer=plan.buffer, path=path)]


def refused_events(plan: PackagePlanned, bad: Sequence[BadFile], ids: Mapping[str, UUID]) -> list[Event]:
    """Files were not what was scanned: which ones and why, then the package as abandoned."""
    files = [ProblemFile(file_id=ids[one.path], path=one.path, problem=_problem(one)) for one in bad]
    provenance = plan.provenance
    parts = in_parts(
        files,
        lambda chunk, part, total: FilesRefused(
            executed_obs_unit_id=provenance.executed_obs_unit_id,
            instrument=provenance.instrument,
            location=plan.source,
            package_id=plan.package_id,
            files=chunk,
            part=part,
            parts=total,
        ),
    )
    return [*parts, abandoned(plan, len(bad))]


def abandoned(plan: PackagePlanned, bad: int) -> PackageAbandoned:
    """The end of a plan of which `bad` files cannot be packed."""
    return PackageAbandoned(
        package_id=plan.package_id,
        executed_obs_unit_id=plan.provenance.executed_obs_unit_id,
        problem=Problem(
            code="files_refused",
            reason=f"{bad} of {plan.file_count} files of {plan.name} are not what was scanned or declared",
            remedy="Nothing to do for the package: its other files are planned again. Each refused file says why.",
        ),
    )


def _problem(bad: BadFile) -> Problem:
    reason = f"{bad.path!r} cannot be packed: {bad.found}"
    return Problem(code=bad.code.value, reason=reason, remedy=REMEDIES[bad.code])
