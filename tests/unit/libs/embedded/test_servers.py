import re
from pathlib import Path

import pytest

from libs.embedded.servers import EmbeddedServers, NatsPlan, start_order


def test_a_leaf_starts_after_its_server() -> None:
    plans = [NatsPlan("a", leaf_of="b"), NatsPlan("b", leaf_of="c"), NatsPlan("c")]
    assert [plan.name for plan in start_order(plans)] == ["c", "b", "a"]


@pytest.mark.parametrize(
    "plans",
    [
        [NatsPlan("a", leaf_of="b"), NatsPlan("b", leaf_of="a")],
        [NatsPlan("a", leaf_of="missing")],
        [NatsPlan("a"), NatsPlan("a")],
    ],
)
def test_plans_that_cannot_start(plans: list[NatsPlan]) -> None:
    with pytest.raises(ValueError, match=re.compile("never start|same name")):
        start_order(plans)


def test_nothing_is_there_that_was_not_asked_for(tmp_path: Path) -> None:
    servers = EmbeddedServers(tmp_path)
    with pytest.raises(RuntimeError, match="PostgreSQL"):
        _ = servers.postgres
    with pytest.raises(RuntimeError, match="S3"):
        _ = servers.s3
