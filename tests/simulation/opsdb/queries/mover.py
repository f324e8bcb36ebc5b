"""What the mover asks."""

from uuid import UUID

from services.mover import queries
from tests.simulation.opsdb.answers import Found, answers, pick
from tests.simulation.opsdb.tables import Tables


@answers(queries._STATE)
def state(tables: Tables, transfer: UUID) -> Found:
    row = tables["data_transfer"].get((transfer,))
    return [] if row is None else pick([row], "state")
