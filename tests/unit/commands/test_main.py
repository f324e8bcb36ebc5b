"""Every command where nothing runs, and words that are no command: answers and exit statuses."""

import json
import logging
import sys
from pathlib import Path

import pytest

from commands import opsdb
from libs.telemetry.logs import logger
from tests.support.commandline import say

ROOT = Path(__file__).resolve().parents[3]
DEMO = str(ROOT / "deploy/demo.yaml")
CONTAINERS = str(ROOT / "deploy/containers/deployment.yaml")
INSTRUMENT = "sky-camera"
UNKNOWN = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["explain", UNKNOWN],
        ["stage", UNKNOWN],
        ["release", UNKNOWN],
        ["file", "a", "--instrument", INSTRUMENT],
        ["simulate", "--frames", "1"],
    ],
    ids=lambda words: words[0],
)
def test_where_nothing_runs(tmp_path: Path, words: list[str]) -> None:
    answer = say(tmp_path, *words, "--json")
    assert (answer.status, answer.code) == (2, "not_running")
    assert "Remedy: Start it with: chasqui up" in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["verify", "rebuild"])
def test_what_is_logged_meanwhile_is_not_in_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    async def talking(*_: object, **__: object) -> int:
        logger("reading").warning("reading again", stream="EVENTS_chile")
        logging.getLogger("nats").warning("slow consumer")
        sys.stdout.write(json.dumps({"chile": {}}))
        return 0

    monkeypatch.setattr(opsdb, command, talking)
    answer = say(tmp_path, "opsdb", command, "--json")
    assert answer.status == 0
    assert json.loads(answer.out) == {"chile": {}}
    assert "reading again" in answer.err
    assert "slow consumer" in answer.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["run", "packager", "--site", "chile"], "not_running"),
        (["run", "postman", "--site", "chile"], "unknown_service"),
        (["run", "packager", "--site", "chile", "--config", "nowhere.yaml"], "config_invalid"),
        (
            ["run", "packager", "--site", "mars", "--config", CONTAINERS],
            "unknown_site",
        ),
        (["provision", "--site", "chile", "--config", "nowhere.yaml"], "config_invalid"),
        (["provision", "--site", "chile", "--config", DEMO], "endpoint_missing"),
        (["up", "nowhere.yaml"], "config_invalid"),
        (["up", "--site", "mars"], "unknown_site"),
        (["demo", "--input", "nowhere"], "no_input"),
    ],
)
def test_wrong_words_are_told(tmp_path: Path, words: list[str], code: str) -> None:
    answer = say(tmp_path, *words)
    assert answer.status == 2
    assert f"({code})" in answer.err
    assert "Remedy: " in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    "words", [["status", "--bogus"], ["frobnicate"], ["simulate", "--frames", "0"], ["file"]]
)
def test_errors_of_usage(tmp_path: Path, words: list[str]) -> None:
    answer = say(tmp_path, *words, "--json")
    assert (answer.status, answer.code) == (2, "usage")
    assert "Usage: chasqui" in answer.err


def test_config_check_has_an_exit_status(tmp_path: Path) -> None:
    assert say(tmp_path, "config", "check", DEMO).status == 0
    broken = tmp_path / "broken.yaml"
    broken.write_text(Path(DEMO).read_text().replace("origin: chile", "origin: mars"))
    answer = say(tmp_path, "config", "check", str(broken), "--json")
    assert (answer.status, answer.json["valid"]) == (1, False)
    assert say(tmp_path, "config", "check", "nowhere.yaml").status == 1
