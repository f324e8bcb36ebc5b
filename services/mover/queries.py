"""What the mover asks ops-db."""

from uuid import UUID

from contracts.states import WorkState
from libs.opsdb.reader import OpsDbReader

_STATE = "SELECT state::text FROM data_transfer WHERE id = $1"


async def is_completed(opsdb: OpsDbReader, transfer: UUID) -> bool:
    """Whether a transfer is known to have been completed."""
    return bool(await opsdb.fetchval(_STATE, transfer) == WorkState.COMPLETED)
