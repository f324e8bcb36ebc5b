"""What this is tested on: most needs no archive."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.road import Part, Road, laid
from tests.support.servers import TestServers


@pytest.fixture
async def road(servers: TestServers, tmp_path: Path) -> AsyncIterator[Road]:
    """Two sites with streams and folders of their own, and databases; nothing runs yet."""
    async with laid(servers, tmp_path, without={Part.ARCHIVE}) as made:
        yield made
