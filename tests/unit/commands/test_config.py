import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from commands.config import as_json, check, exit_code, render
from libs.sites.loading import Report

DEMO = Path(__file__).parents[3] / "deploy" / "demo.yaml"


def shown(report: Report) -> str:
    stream = io.StringIO()
    render(report, Console(file=stream, width=60))
    return stream.getvalue()


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.yaml"
    path.write_text(
        DEMO.read_text()
        .replace("quiet: 0.3s", "quiet: 0.3 [red]")
        .replace("target_size: 10 TB", "target_size: x")
    )
    return path


def test_a_whole_file_is_praised() -> None:
    report = check(DEMO)
    assert exit_code(report) == 0
    assert shown(report) == (
        f"{DEMO} can be used: 2 sites, 5 locations, 1 instrument, 1 route; 0 errors, 0 warnings\n"
    )


def test_each_finding_shows_line_caret_and_remedy(broken: Path) -> None:
    report = check(broken)
    assert exit_code(report) == 1
    lines = shown(report).splitlines()
    assert lines[0].startswith(
        f"{broken}:20:14: error value_invalid: sites.chile.scan.quiet: '0.3 [red]' is no"
    )
    assert lines[1].index("0.3 [red]") == lines[2].index("^")
    assert lines[3].strip().startswith("Write for example")
    assert lines[-1] == f"{broken} cannot be used: 2 errors, 0 warnings"


def test_json_says_the_same(broken: Path) -> None:
    found = json.loads(json.dumps(as_json(check(broken))))
    assert (found["valid"], found["errors"], found["warnings"]) == (False, 2, 0)
    assert found["findings"][0]["code"] == "value_invalid"
    assert found["findings"][0]["line"] == 20


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    report = check(tmp_path / "none.yaml")
    assert "file_unreadable" in shown(report)
    assert exit_code(report) == 1


def test_with_a_site_the_disks_are_looked_at(tmp_path: Path) -> None:
    report = check(DEMO, base=tmp_path, site="chile")
    assert [(x.problem.code, x.line) for x in report.errors] == [
        ("folder_missing", 26),
        ("folder_missing", 33),
    ]


def test_an_unknown_site_is_told(tmp_path: Path) -> None:
    assert [x.problem.code for x in check(DEMO, tmp_path, "bonn").errors] == ["site_unknown"]
