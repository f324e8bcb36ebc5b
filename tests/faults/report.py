"""What was done to a system, what was found, and, if anything was, what its logs say."""

import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.faults.checks.everything import Found

MOST_TOLD = 8
MOST_LINES = 12
LOUD = {"warning", "error", "critical", "exception"}
WIDTH = 140


@dataclass
class Report:
    """Of one scenario.

    Attributes:
        title: What it is about.
        seed: Decides every choice of it.
        done: What was done, with the seconds since the beginning.
        load: What happened meanwhile, in numbers.
        found: By the checks.
        complete: Whether it came to its end.
    """

    title: str
    seed: str
    done: list[tuple[float, str]] = field(default_factory=list)
    load: dict[str, int] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    complete: bool = False

    def did(self, what: str) -> None:
        """Something was done to the system."""
        self.done.append((time.monotonic() - self.began, what))

    @property
    def violations(self) -> list[str]:
        """Everything that does not hold."""
        return [f"{found.check}: {told}" for found in self.found for told in found.violations]

    def summary(self) -> str:
        """One line."""
        verdict = f"{len(self.violations)} violations" if self.violations else "whole"
        verdict = verdict if self.complete else "UNFINISHED"
        loads = ", ".join(f"{count} {what}" for what, count in self.load.items())
        return f"{verdict:>14}  {self.title}: {len(self.done)} faults; {loads}; {time.monotonic() - self.began:.0f} s; seed {self.seed}"

    def render(self, logs: "Logs | None" = None) -> str:
        """For a person; with excerpts of the logs if anything was found."""
        out = StringIO()
        console = Console(file=out, width=WIDTH, force_terminal=False)
        console.print(Text(self.summary()))
        console.print(self._done())
        console.print(self._found())
        if logs is not None:
            for name, lines in logs.excerpts():
                console.print(Text(name, style="bold"))
                console.print(Text("\n".join(lines)))
        return out.getvalue()

    def _done(self) -> Table:
        table = Table("s", "what was done", box=None, pad_edge=False)
        for when, what in self.done:
            table.add_row(f"{when:.1f}", Text(what))
        return table

    def _found(self) -> Table:
        table = Table("", "what must hold", "s", "what does not", box=None, pad_edge=False)
        for found in self.found:
            told = "\n".join(found.violations[:MOST_TOLD])
            more = len(found.violations) - MOST_TOLD
            told += f"\n… and {more} more" if more > 0 else ""
            table.add_row("✗" if found.violations else "✓", found.check, f"{found.seconds:.1f}", Text(told))
        return table


class Logs:
    """The logs of a system, from a moment on.

    Args:
        folder: Where every process has its file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._from = {path: path.stat().st_size for path in folder.glob("*.log")}

    def excerpts(self) -> Iterable[tuple[str, list[str]]]:
        """The last loud lines of each file, and how often each kind of line came."""
        for path in sorted(self._folder.glob("*.log")):
            with path.open("rb") as file:
                file.seek(self._from.get(path, 0))
                lines = file.read().decode(errors="replace").splitlines()
            if loud := [line for line in lines if _is_loud(line)]:
                counts = Counter(_kind(line) for line in loud).most_common(6)
                head = "; ".join(f"{count} × {kind}" for kind, count in counts)
                yield f"{path.name}: {head}", [line[:600] for line in loud[-MOST_LINES:]]


def _is_loud(line: str) -> bool:
    try:
        return str(json.loads(line).get("level")) in LOUD
    except (ValueError, AttributeError):
        return bool(line.strip())


def _kind(line: str) -> str:
    try:
        told = json.loads(line)
        return f"{told.get('event')} {told.get('code', '')}".strip()
    except (ValueError, AttributeError):
        return "other lines"
