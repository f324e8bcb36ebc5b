from collections.abc import Collection

import pytest

from tests.support.road import Part


@pytest.fixture
def without() -> Collection[Part]:
    """Most of this needs no archive."""
    return {Part.ARCHIVE}
