"""docs/events.md says what the contracts say."""

from commands.catalogue import TARGET, catalogue


def test_the_catalogue_is_current() -> None:
    assert TARGET.read_text() == catalogue(), "run: python -m commands.catalogue"
