"""What something waits for, in words: a pure function of its row and a few facts around it."""

from collections.abc import Callable

from libs.insight.waits.associations import association
from libs.insight.waits.copies import copy
from libs.insight.waits.files import file
from libs.insight.waits.letters import hold, letter
from libs.insight.waits.network import asset, camera, task
from libs.insight.waits.observations import observation
from libs.insight.waits.packages import package
from libs.insight.waits.staging import staging
from libs.insight.waits.transfers import transfer
from libs.insight.waits.words import NOTHING, Row, Waiting

__all__ = ["NOTHING", "Row", "Waiting", "waiting_for"]

WAITS: dict[str, Callable[[Row, Row], Waiting]] = {
    "executed_obs_unit": observation,
    "raw_data_file": file,
    "raw_data_package": package,
    "data_transfer_package": transfer,
    "data_transfer": transfer,
    "staging_job": staging,
    "physical_copy": copy,
    "dead_letter": letter,
    "deletion_hold": hold,
    "optical_imaging_task": task,
    "observation_asset": asset,
    "camera": camera,
    "asn_association": association,
}
"""Who knows what the rows of a table wait for."""


def waiting_for(kind: str, row: Row, context: Row) -> Waiting:
    """Say what a thing waits for.

    Args:
        kind: Its table.
        row: Its row in ops-db.
        context: What else its module in `libs.insight.waits` asks for; see `libs.insight.surroundings`.
    """
    return WAITS[kind](row, context)
