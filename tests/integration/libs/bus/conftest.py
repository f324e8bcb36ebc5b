from collections.abc import Collection

import pytest

from tests.support.road import Part


@pytest.fixture
def without() -> Collection[Part]:
    """The bus needs NATS alone."""
    return [*Part]
