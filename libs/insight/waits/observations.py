"""What an observation waits for."""

from collections.abc import Mapping, Sequence

from contracts.states import FileState, ObservationState, PackageState
from libs.insight.waits.words import NOTHING, Row, Waiting


def observation(row: Row, context: Row) -> Waiting:
    """Its files first, then its packages; what it was made of or for may be registered at any time.

    Args:
        row: Of executed_obs_unit.
        context: ``files`` and ``packages``: how many by state; ``unregistered``: what is not, in words.
    """
    waiting = _itself(row, context)
    unregistered: Sequence[str] = context.get("unregistered", ())
    if not unregistered:
        return waiting
    named = f"{' and '.join(unregistered)} {'is' if len(unregistered) == 1 else 'are'} not registered"
    if waiting is not NOTHING:
        return waiting.model_copy(update={"now": f"{waiting.now} Besides, {named}."})
    return Waiting(
        now=f"For the catalog: {named}. Its data is where it should be.",
        next="It is complete as soon as that is told, at whichever site.",
        remedy="Register it: chasqui catalog apply FILE; chasqui catalog show lists what waits for it.",
        since=row.get("filed_at"),
    )


def _itself(row: Row, context: Row) -> Waiting:
    files: Mapping[str, int] = context.get("files", {})
    packages: Mapping[str, int] = context.get("packages", {})
    if row.get("state") is None:
        return Waiting(
            now="For its beginning to be known here.", next="It is completed when the event arrives."
        )
    if row.get("state") == ObservationState.RUNNING:
        return Waiting(
            now=f"For the instrument to finish the observation ({sum(files.values())} files filed so far).",
            next="Full packages leave before; the rest is packaged when it is finished.",
            remedy="If the instrument died, finish it in its place with outcome aborted.",
            since=row.get("start_time"),
        )
    return _files(row, files) or _packages(row, packages) or NOTHING


def _files(row: Row, files: Mapping[str, int]) -> Waiting | None:
    """What the files of a finished observation wait for before they are in packages."""
    since, at = row.get("finished_at"), row.get("site")
    if open_files := sum(files.get(state, 0) for state in (FileState.FILED, FileState.MISSING)):
        return Waiting(
            now=f"For {open_files} filed files to be complete on the instrument's disk.",
            next="They are packaged as soon as they are.",
            remedy="See each file's reason; write the file, or leave it: the others travel without it.",
            since=since,
            by="scanner",
            at=at,
        )
    if refused := files.get(FileState.REFUSED, 0):
        return Waiting(
            now=f"For a decision on {refused} refused files.",
            next="The others travel on.",
            remedy="File them again with the right checksum and size, or correct them on disk.",
            since=since,
        )
    if scanned := files.get(FileState.SCANNED, 0):
        return Waiting(
            now=f"For the packager to plan packages for {scanned} files.",
            next="They go into packages.",
            since=since,
            by="packager",
            at=at,
        )
    if (unknown := (row.get("file_count") or 0) - sum(files.values())) > 0:
        return Waiting(
            now=f"For {unknown} of its files to be known here.",
            next="They are when their events arrive.",
            since=since,
            by="projector",
        )
    return None


def _packages(row: Row, packages: Mapping[str, int]) -> Waiting | None:
    settled = (PackageState.ARCHIVED, PackageState.ABANDONED)
    unfinished = {state: n for state, n in packages.items() if state not in settled}
    if not unfinished:
        return None
    told = ", ".join(f"{n} {state}" for state, n in sorted(unfinished.items()))
    return Waiting(
        now=f"For its packages to be archived ({told}).",
        next="They go on by themselves; explain a package to see what it waits for.",
        since=row.get("finished_at"),
    )
