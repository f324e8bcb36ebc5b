"""What something waits for, in words: pure functions of its row and a few facts around it."""

from collections.abc import Mapping
from typing import Any

from contracts.base import Message
from contracts.states import FileState, ObservationState, PackageState, WorkState


class Waiting(Message):
    """The present and the next step, for a person.

    Attributes:
        now: What it waits for, or that it waits for nothing.
        next: What happens by itself when that is there.
        remedy: What an operator can do, if anything.
    """

    now: str
    next: str
    remedy: str = ""


NOTHING = Waiting(now="Nothing: it is where it should be.", next="Nothing more happens by itself.")


def waiting_for(kind: str, row: Mapping[str, Any], context: Mapping[str, Any]) -> Waiting:
    """Say what a thing waits for.

    Args:
        kind: Its table.
        row: Its row in ops-db.
        context: ``observation``, ``package`` (rows), ``files``, ``packages`` (counts by state) or ``routes``
            (how many leave the package's site; without one it is archived where it is).
    """
    match kind:
        case "executed_obs_unit":
            return _observation(row, context)
        case "raw_data_file":
            return _file(row, context)
        case "raw_data_package":
            return package_waiting(row, context)
        case "data_transfer_package" | "data_transfer":
            return _transfer(row)
        case "staging_job":
            return _staging(row)
        case _:
            return _copy(row)


def _observation(row: Mapping[str, Any], context: Mapping[str, Any]) -> Waiting:
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
        )
    return _files_waiting(row, files) or _packages_waiting(packages) or NOTHING


def _files_waiting(row: Mapping[str, Any], files: Mapping[str, int]) -> Waiting | None:
    """What the files of a finished observation wait for before they are in packages."""
    if open_files := sum(files.get(state, 0) for state in (FileState.FILED, FileState.MISSING)):
        return Waiting(
            now=f"For {open_files} filed files to be complete on the instrument's disk.",
            next="They are packaged as soon as they are.",
            remedy="See each file's reason; write the file, or leave it: the others travel without it.",
        )
    if refused := files.get(FileState.REFUSED, 0):
        return Waiting(
            now=f"For a decision on {refused} refused files.",
            next="The others travel on.",
            remedy="File them again with the right checksum and size, or correct them on disk.",
        )
    if scanned := files.get(FileState.SCANNED, 0):
        return Waiting(
            now=f"For the packager to plan packages for {scanned} files.", next="They go into packages."
        )
    if (unknown := (row.get("file_count") or 0) - sum(files.values())) > 0:
        return Waiting(
            now=f"For {unknown} of its files to be known here.", next="They are when their events arrive."
        )
    return None


def _packages_waiting(packages: Mapping[str, int]) -> Waiting | None:
    settled = (PackageState.ARCHIVED, PackageState.ABANDONED)
    unfinished = {state: n for state, n in packages.items() if state not in settled}
    if not unfinished:
        return None
    told = ", ".join(f"{n} {state}" for state, n in sorted(unfinished.items()))
    return Waiting(now=f"For its packages to be archived ({told}).", next="They go on by themselves.")


def _file(row: Mapping[str, Any], context: Mapping[str, Any]) -> Waiting:
    match row.get("state"):
        case FileState.FILED:
            return Waiting(
                now="For the scanner to find it whole and quiet on the instrument's disk.",
                next="It is scanned, then packaged.",
            )
        case FileState.MISSING:
            return Waiting(
                now=f"For the file itself: {row.get('problem_reason') or 'it is not there'}.",
                next="The scanner goes on looking; it is packaged when it comes.",
                remedy=str(row.get("problem_remedy") or "Write the file to its path."),
            )
        case FileState.REFUSED:
            return Waiting(
                now=f"For a person: {row.get('problem_reason') or 'it was refused'}.",
                next="Nothing by itself.",
                remedy=str(row.get("problem_remedy") or "File it again with the right declaration."),
            )
        case FileState.SCANNED:
            running = context.get("observation", {}).get("state") == ObservationState.RUNNING
            now = (
                "For its observation to finish, or to fill a package."
                if running
                else "For the packager to plan its package."
            )
            return Waiting(now=now, next="It goes into a package.")
        case FileState.PLANNED | FileState.PACKAGED:
            return package_waiting(context.get("package", {}), context)
        case _:
            return Waiting(
                now="For its filing to be known here.", next="It is completed when the event arrives."
            )


def package_waiting(row: Mapping[str, Any], context: Mapping[str, Any]) -> Waiting:
    """What a package waits for; row and context as in `waiting_for`."""
    match row.get("state"):
        case PackageState.PLANNED:
            return Waiting(now="For the packager to write its tar.", next="It is sealed in the buffer.")
        case PackageState.ABANDONED:
            return Waiting(
                now="Nothing: this plan was given up because files changed.",
                next="The files travel in another package.",
            )
        case PackageState.WAITING if context.get("routes") == 0:
            return Waiting(now="For the archiver to upload and prove it.", next="It is archived.")
        case PackageState.WAITING if row.get("data_transfer_package_id") is None:
            return Waiting(now="For the bundler to close a bundle.", next="It is moved to the next site.")
        case PackageState.WAITING:
            return Waiting(now="For the mover to take its bundle.", next="It is moved to the next site.")
        case PackageState.TRANSFERRING if row.get("verified_at") is None:
            return Waiting(
                now="For its bundle to arrive and be verified.", next="It is uploaded to the archive."
            )
        case PackageState.TRANSFERRING:
            return Waiting(now="For the archiver to upload and prove it.", next="It is archived.")
        case PackageState.FAILED:
            return Waiting(
                now=f"For a person: {row.get('problem_reason') or 'it failed'}.",
                next="Nothing by itself.",
                remedy=str(row.get("problem_remedy") or "Look at the dead letters."),
            )
        case PackageState.ARCHIVED:
            return NOTHING
        case _:
            return Waiting(now="For its events to arrive here.", next="It is completed when they do.")


def _transfer(row: Mapping[str, Any]) -> Waiting:
    match row.get("state"):
        case WorkState.COMPLETED:
            return NOTHING
        case WorkState.FAILED:
            return Waiting(
                now=f"For a person: {row.get('problem_reason') or 'it failed'}.",
                next="Nothing by itself.",
                remedy=str(row.get("problem_remedy") or "Look at the dead letters."),
            )
        case WorkState.IN_PROGRESS:
            return Waiting(now="For its bytes to be moved.", next="The other site verifies what arrived.")
        case _:
            return Waiting(now="For a mover to take it.", next="It is moved to the next site.")


def _staging(row: Mapping[str, Any]) -> Waiting:
    if row.get("released_at") is not None:
        return Waiting(now="For the janitor to clear its folder.", next="The staged copies are deleted.")
    match row.get("state"):
        case WorkState.COMPLETED:
            return Waiting(
                now="For its user to be done with it.",
                next=f"It expires at {row.get('expires_at') or 'no fixed time'}.",
                remedy="Release it when it is no longer needed.",
            )
        case WorkState.FAILED:
            return Waiting(
                now=f"For a person: {row.get('problem_reason') or 'it failed'}.",
                next="Nothing by itself.",
                remedy=str(row.get("problem_remedy") or "Ask again with what is archived."),
            )
        case _:
            return Waiting(
                now="For the stager to recall its packages.", next="They are unpacked and verified."
            )


def _copy(row: Mapping[str, Any]) -> Waiting:
    if row.get("deleted_at") is not None:
        return Waiting(now="Nothing: this copy was deleted.", next="Nothing.")
    if row.get("refusal_code"):
        return Waiting(
            now=f"It stays: {row.get('refusal_reason')}",
            next="The janitor asks again with every sweep.",
            remedy=str(row.get("refusal_remedy") or ""),
        )
    return NOTHING
