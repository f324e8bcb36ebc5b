"""What the archiver asks."""

from collections.abc import Collection
from uuid import UUID

from contracts.states import CopyKind
from services.archiver import asking_back
from tests.simulation.opsdb.answers import Found, answers
from tests.simulation.opsdb.queries import common
from tests.simulation.opsdb.tables import Tables


@answers(asking_back._ANSWER)
def answer(tables: Tables, asked: str, package_id: str, corrupted: str, failed: str) -> Found:
    chain, about = {asked}, [one for one in tables.records if one.about == package_id]
    while (
        passed := {str(one.event_id) for one in about if one.type == corrupted and one.causation_id in chain}
        - chain
    ):
        chain |= passed
    said = any(str(one.event_id) == asked for one in tables.records)
    given_up = any(one.type == failed and one.causation_id in chain for one in about)
    return [{"said": said, "given_up": given_up}]


@answers(asking_back._ELSEWHERE)
def elsewhere(tables: Tables, package_id: UUID, buffers: Collection[str], states: Collection[str]) -> Found:
    packaged = any(
        copy["entity_id"] == package_id
        and copy["kind"] is CopyKind.RAW_DATA_PACKAGE
        and copy["location"] in buffers
        and copy["state"] in states
        for copy in common.copies(tables)
    )
    files = [file for file in common.files(tables) if file["raw_data_package_id"] == package_id]
    there = [file for file in files if common.copy_at_home(tables, file).get("state") in states]
    return [{"packaged": packaged, "files": len(there)}]
