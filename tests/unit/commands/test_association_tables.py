"""docs/association-states.md says what the code says."""

from commands.association_tables import TARGET, page
from commands.state_tables import docs_of
from contracts.association_states import AssociationState, AssociationStep, MemberStatus, ProductStatus


def test_the_page_is_current() -> None:
    assert TARGET.read_text() == page(), "run: python -m commands.association_tables"


def test_everything_is_explained() -> None:
    for members in (AssociationState, AssociationStep, MemberStatus, ProductStatus):
        assert set(docs_of(members)) == {member.value for member in members}
