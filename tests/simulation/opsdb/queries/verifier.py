"""What the verifier asks."""

from collections.abc import Collection
from uuid import UUID

from services.verifier import remembering
from tests.simulation.opsdb.answers import Found, answers
from tests.simulation.opsdb.tables import Tables


@answers(remembering._TOLD)
def told(tables: Tables, stream: str, event_ids: Collection[UUID]) -> Found:
    found = [one for one in tables.records if one.stream == stream and one.event_id in event_ids]
    return [{"event_id": one.event_id} for one in sorted(found, key=lambda one: one.sequence)[:1]]
