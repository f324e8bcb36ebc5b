"""What a file waits for."""

from contracts.states import FileState, ObservationState
from libs.insight.waits.packages import package
from libs.insight.waits.words import Row, Waiting, for_a_person


def file(row: Row, context: Row) -> Waiting:
    """Its place on disk, then its package.

    Args:
        row: Of raw_data_file.
        context: ``observation`` and ``package``: their rows; and what `package` needs.
    """
    unit: Row = context.get("observation", {})
    at = unit.get("site")
    match row.get("state"):
        case FileState.FILED:
            return Waiting(
                now="For the scanner to find it whole and quiet on the instrument's disk.",
                next="It is scanned, then packaged.",
                since=row.get("filed_at"),
                by="scanner",
                at=at,
            )
        case FileState.MISSING:
            return Waiting(
                now=f"For the file itself: {row.get('problem_reason') or 'it is not there'}.",
                next="The scanner goes on looking; it is packaged when it comes.",
                remedy=str(row.get("problem_remedy") or "Write the file to its path."),
                since=row.get("filed_at"),
                by="scanner",
                at=at,
            )
        case FileState.REFUSED:
            return for_a_person(row, "it was refused", "File it again with the right declaration.")
        case FileState.SCANNED:
            running = unit.get("state") == ObservationState.RUNNING
            now = (
                "For its observation to finish, or to fill a package."
                if running
                else "For the packager to plan its package."
            )
            return Waiting(
                now=now,
                next="It goes into a package.",
                since=row.get("scanned_at"),
                by=None if running else "packager",
                at=at,
            )
        case FileState.PLANNED | FileState.PACKAGED:
            return package(context.get("package", {}), context)
        case _:
            return Waiting(
                now="For its filing to be known here.",
                next="It is completed when the event arrives.",
                by="projector",
            )
