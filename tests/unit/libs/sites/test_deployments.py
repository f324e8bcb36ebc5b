"""The deployments we hand out are whole, and the reference knows every key and every code."""

import ast
import re
from pathlib import Path

import pytest

from libs.sites.loading import examine
from libs.sites.shape import _MODELS

ROOT = Path(__file__).parents[4]
REFERENCE = (ROOT / "docs" / "configuration.md").read_text("utf-8")


@pytest.mark.parametrize("path", sorted((ROOT / "deploy").glob("*.yaml")), ids=lambda path: path.name)
def test_our_deployments_have_no_findings(path: Path) -> None:
    assert examine(path).findings == ()


@pytest.mark.parametrize("form", _MODELS)
def test_every_key_is_documented(form: str) -> None:
    assert [key for key in _MODELS[form].model_fields if f"`{key}`" not in REFERENCE] == []


def codes() -> set[str]:
    """Every problem code that is written out in a call, in the first two arguments."""
    calls = (
        node
        for path in (ROOT / "libs/sites").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    )
    return {
        argument.value
        for call in calls
        if ast.unparse(call.func) in ("error", "warning", "UserError")
        for argument in call.args[:2]
        if isinstance(argument, ast.Constant)
        and isinstance(argument.value, str)
        and argument.value.replace("_", "").isalnum()
    }


def test_every_code_is_documented() -> None:
    assert len(codes()) > 60
    assert sorted(code for code in codes() if f"`{code}`" not in REFERENCE) == []


def test_examples_in_the_reference_are_whole(tmp_path: Path) -> None:
    texts = [
        text for text in re.findall(r"```yaml\n(.*?)```", REFERENCE, re.DOTALL) if text.startswith("version")
    ]
    assert texts
    for text in texts:
        path = tmp_path / "example.yaml"
        path.write_text(text)
        assert examine(path).findings == ()
