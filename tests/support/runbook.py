"""The commands of the runbook's pages, and the names that stand for what an operator sees."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.support.machine import ROOT

FOLDER = ROOT / "docs" / "runbook"
_COMMAND = re.compile(r"^ {4,}chasqui (.+)$", re.MULTILINE)
_NAME = re.compile(r"^[A-Z]{3,}$")


@dataclass(frozen=True)
class Written:
    """A command as a page has it: its words, some of which are names in capitals."""

    page: str
    words: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The words that stand for something."""
        return tuple(word for word in self.words if _NAME.match(word))

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def written() -> list[Written]:
    """Every command of every page, in order."""
    return [
        Written(page.stem, tuple(shlex.split(line, comments=True)))
        for page in sorted(FOLDER.glob("*.md"))
        for line in _COMMAND.findall(page.read_text("utf-8"))
    ]


def pages() -> list[Path]:
    """Every page."""
    return sorted(FOLDER.glob("*.md"))
