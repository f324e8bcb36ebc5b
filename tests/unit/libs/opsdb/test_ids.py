from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.copies import copy_id
from contracts.states import CopyKind
from libs.opsdb.projection.ids import copy_namer


@settings(deadline=None)  # how long an example takes depends on what else the machine does
@given(st.sampled_from(CopyKind), st.uuids(), st.text())
def test_ids_are_those_of_the_contract(kind: CopyKind, entity: UUID, location: str) -> None:
    location = location.encode("utf-8", "ignore").decode()
    named = copy_namer(kind, location)(entity)
    assert named == copy_id(kind, entity, location)
    assert (named.version, hash(named)) == (5, hash(copy_id(kind, entity, location)))
