"""docs/states.md says what the code says."""

from commands.state_tables import TARGET, docs_of, page
from contracts.states import CopyState, CopyStep
from services.janitor.refusing import Code


def test_the_page_is_current() -> None:
    assert TARGET.read_text() == page(), "run: python -m commands.state_tables"


def test_everything_is_explained() -> None:
    for members in (CopyState, CopyStep, Code):
        assert set(docs_of(members)) == {member.value for member in members}
        assert all(len(words) > 3 for words in docs_of(members).values())
