"""What a bundle, or one hop of it, waits for."""

from contracts.states import WorkState
from libs.insight.waits.words import NOTHING, Row, Waiting, for_a_person, location, route


def transfer(row: Row, context: Row) -> Waiting:
    """Its way, then its verification.

    Args:
        row: Of data_transfer_package or data_transfer.
        context: ``hop``: the row of the bundle's newest hop.
    """
    hop: Row = context.get("hop", row)
    match row.get("state"):
        case WorkState.COMPLETED:
            return NOTHING
        case WorkState.FAILED:
            return for_a_person(row, "it failed", "Look at the dead letters: chasqui dead list.")
        case WorkState.IN_PROGRESS if hop.get("completed_at") is not None:
            return Waiting(
                now="For what arrived to be verified.",
                next="Whole packages go on to the archive; damaged ones travel again.",
                since=hop.get("completed_at"),
                by="verifier",
                at=hop.get("destination"),
                uses=location(hop.get("destination_location")),
            )
        case WorkState.IN_PROGRESS:
            return Waiting(
                now="For its bytes to be moved.",
                next="The other site verifies what arrived.",
                since=hop.get("started_at"),
                by="mover",
                at=hop.get("origin") or row.get("origin"),
                uses=(*route(row.get("route")), *location(hop.get("destination_location"))),
            )
        case _:
            return Waiting(
                now="For a mover to take it.",
                next="It is moved to the next site.",
                since=row.get("sealed_at"),
                by="mover",
                at=row.get("origin"),
                uses=route(row.get("route")),
            )
