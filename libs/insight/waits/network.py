"""What tasks, assets and cameras of a telescope network wait for."""

from contracts.skynet.cameras import Camera
from contracts.skynet.states import TaskStatus, TransferState
from libs.insight.waits.words import NOTHING, Row, Waiting, for_a_person
from libs.skynet.cooling import advise

DONE = "Nothing more happens to it."


def task(row: Row, _context: Row) -> Waiting:
    """A scheduler, its telescope, or nothing more.

    Args:
        row: Of optical_imaging_task.
    """
    match row["status"]:
        case TaskStatus.UNASSIGNED:
            return Waiting(
                now="For a scheduler to give it to a telescope.",
                next="The telescope begins with it.",
                since=row["modified_on"],
            )
        case TaskStatus.PENDING:
            expires = row["expiration_time"]
            return Waiting(
                now=f"For the telescope of camera {row['camera_id']} to begin.",
                next="It is not attempted if its time is up before." if expires else "The telescope begins.",
                since=row["modified_on"],
                next_at=expires,
            )
        case TaskStatus.ACTIVE:
            return Waiting(
                now=f"For the telescope: {_progress(row)}.",
                next="It is completed, or the telescope says why not.",
                since=row["actual_start_time"],
            )
        case TaskStatus.INTERRUPTED:
            return Waiting(
                now=f"For the telescope to go on: {_progress(row)}.",
                next="It is resumed; what was exposed counts.",
                remedy="Cancel it if nobody wants the rest any more.",
                since=row["modified_on"],
            )
        case TaskStatus.COMPLETED:
            return NOTHING
        case ended:
            words = str(ended).replace("_", " ")
            return Waiting(now=f"Nothing: it is {words}.", next=DONE, remedy="File a new task.")


def asset(row: Row, _context: Row) -> Waiting:
    """Its bytes, then its pictures.

    Args:
        row: Of observation_asset.
    """
    match row["transfer_state"]:
        case TransferState.PENDING if not row["is_transferrable"]:
            return Waiting(now="Nothing: its bytes stay where they are.", next=DONE)
        case TransferState.PENDING:
            return Waiting(
                now=f"For its bytes to be fetched from {row['remote_file_path']}.",
                next="Its pictures are made.",
                by="mover",
                at=row["site"],
            )
        case TransferState.ACTIVE:
            done = row["transfer_progress"]
            share = "how much is not known" if done is None else f"{done:.0%} so far"
            return Waiting(
                now=f"For {row['transferrer']} to fetch its bytes: {share}.",
                next="It is complete once size and checksum are as declared; failed if its lease runs out.",
                since=row["last_transfer_attempt"],
                next_at=row["lease_until"],
                by="mover",
                at=row["site"],
            )
        case TransferState.FAILED:
            told = {"problem_reason": row["transfer_error"], "problem_at": row["last_transfer_attempt"]}
            return for_a_person(
                told, "its transfer failed", "Mend that, then have its transfer requested again."
            )
        case TransferState.CANCELED:
            return Waiting(
                now="Nothing: nobody wants its bytes.", next=DONE, remedy="Have its transfer requested again."
            )
        case _:
            return _pictures(row)


def camera(row: Row, context: Row) -> Waiting:
    """The next change of its cooler.

    Args:
        row: Of camera and device.
        context: ``planned``: when tasks need it; ``now``: the clock.
    """
    known = Camera.model_validate({name: row[name] for name in Camera.model_fields})
    advice = advise(known, context["planned"], context["now"])
    return Waiting(
        now=f"Its cooler is to be {advice.cooler}: {advice.why}.",
        next="That changes."
        if advice.changes_at
        else "That changes when a task, the policy or a person does.",
        next_at=advice.changes_at,
    )


def _pictures(row: Row) -> Waiting:
    if row["render_dirty_at"] is None:
        return NOTHING
    failures = row["render_failures"]
    tried = f" ({failures} tries failed)" if failures else ""
    return Waiting(
        now=f"For its pictures to be made{tried}.",
        next="Thumbnail and preview are exchanged together.",
        since=row["first_dirty_at"] or row["render_dirty_at"],
        next_at=row["next_eligible_render_at"],
        by="renderer",
        at=row["site"],
    )


def _progress(row: Row) -> str:
    frames, total = row["observatory_acquired_frames"], row["total_exposures"]
    return f"{row['progress']:.0%} so far, {frames} of {total} exposures"
