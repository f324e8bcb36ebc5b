from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from libs.sites.loading import Report, examine

DEMO = Path(__file__).parents[4] / "deploy" / "demo.yaml"


@pytest.fixture
def demo_text() -> str:
    return DEMO.read_text("utf-8")


@pytest.fixture
def demo() -> dict[str, object]:
    values = yaml.safe_load(DEMO.read_text("utf-8"))
    assert isinstance(values, dict)
    return values


@pytest.fixture
def look(tmp_path: Path) -> Callable[[str], Report]:
    """Examine a text as if it were a deployment file."""

    def examine_text(text: str) -> Report:
        path = tmp_path / "deployment.yaml"
        path.write_text(text, "utf-8")
        return examine(path)

    return examine_text
