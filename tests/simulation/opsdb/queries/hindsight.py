"""What `libs.service.hindsight` asks."""

from collections.abc import Collection
from uuid import UUID

from libs.service import hindsight
from tests.simulation.opsdb.answers import Found, answers
from tests.simulation.opsdb.queries import common
from tests.simulation.opsdb.tables import Tables


@answers(hindsight._ANSWERED)
def answered(tables: Tables, stream: str, event_ids: Collection[UUID], cause: str) -> Found:
    return [
        {"event_id": one.event_id}
        for one in tables.records
        if one.stream == stream and one.event_id in event_ids and one.causation_id == cause
    ]


@answers(hindsight._SPOKE)
def spoke(tables: Tables, stream: str, about: str, cause: str, types: Collection[str]) -> Found:
    found = common.records(tables, stream, types)
    return [{"exists": any((one.about, one.causation_id) == (about, cause) for one in found)}]


@answers(hindsight._POSITION)
def position(tables: Tables, stream: str) -> Found:
    return [{"coalesce": tables.position(stream)}]
