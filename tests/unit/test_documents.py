"""What the documents point to is there: files and commands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from commands.main import app

Command = Any
"""Of the click that Typer brings along, which it does not publish."""

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "examples/README.md",
    *ROOT.glob("docs/**/*.md"),
]
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")
COMMAND = re.compile(r"(?:^|[\s`/(])chasqui ([a-z][^\n`#|]*)")
CODE = re.compile(r"```.*?```|`[^`\n]+`|^ {4}.*$", re.DOTALL | re.MULTILINE)


def all_commands(group: TyperGroup, prefix: str = "") -> Iterator[tuple[str, Command]]:
    """Each command by its words; ``config check`` is one."""
    for name, child in group.commands.items():
        if isinstance(child, TyperGroup):
            yield from all_commands(child, f"{prefix}{name} ")
        yield f"{prefix}{name}", child


GROUP = typer.main.get_command(app)
assert isinstance(GROUP, TyperGroup)
COMMANDS = dict(all_commands(GROUP))
GROUPS = {words.split()[0] for words in COMMANDS if " " in words}


def options_of(command: Command) -> set[str]:
    """Its options, as typed."""
    return {"--help", "-h"} | {option for each in command.params for option in each.opts}


def commands_in(text: str) -> list[str]:
    """Every ``chasqui ...`` in code of a document."""
    return [found for code in CODE.findall(text) for found in COMMAND.findall(code)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    targets = [target for target, _ in LINK.findall(document.read_text("utf-8"))]
    here = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert [target for target in here if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", [*DOCUMENTS, *ROOT.glob("deploy/*.yaml")], ids=lambda path: path.name)
def test_commands_are_there_with_their_options(document: Path) -> None:
    text = document.read_text("utf-8")
    for words in COMMAND.findall(text) if document.suffix == ".yaml" else commands_in(text):
        parts = shlex.split(words, comments=True)
        name = " ".join(parts[:2]) if parts[0] in GROUPS else parts[0]
        assert name in COMMANDS, f"chasqui {words}"
        options = {part.split("=")[0] for part in parts if part.startswith("-")}
        assert options <= options_of(COMMANDS[name]), f"chasqui {words}"


def test_the_readme_names_commands() -> None:
    assert len(commands_in((ROOT / "README.md").read_text("utf-8"))) >= 5


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_teaches(name: str) -> None:
    assert len(COMMANDS[name].help or "") > 20
    silent = [each.name for each in COMMANDS[name].params if not getattr(each, "help", None)]
    assert silent == []
