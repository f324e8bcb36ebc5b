"""The states of a copy and the reasons for which it stays, in docs/states.md: ``python -m commands.state_tables``."""

import ast
import inspect
from collections.abc import Iterator
from enum import StrEnum
from itertools import pairwise
from pathlib import Path

from contracts.states import COPY_STEPS, CopyState, CopyStep
from services.janitor.refusing import Code

TARGET = Path(__file__).resolve().parent.parent / "docs" / "states.md"

HEAD = """# The states of a copy

Written by `python -m commands.state_tables` from `contracts/states.py` and `services/janitor/refusing.py`; a test keeps
it current.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_states(), "", *_steps(), "", *_diagram(), "", *_reasons(), ""])


def docs_of(members: type[StrEnum]) -> dict[str, str]:
    """What the source says below each member of an enum."""
    (body,) = (
        node.body for node in ast.parse(inspect.getsource(members)).body if isinstance(node, ast.ClassDef)
    )
    found: dict[str, str] = {}
    for assignment, text in pairwise(body):
        if isinstance(assignment, ast.Assign) and isinstance(text, ast.Expr):
            (target,) = assignment.targets
            name = ast.unparse(target)
            found[members[name].value] = " ".join(str(ast.literal_eval(text.value)).split())
    return found


def _states() -> Iterator[str]:
    yield from ("| state | meaning |", "| --- | --- |")
    for state, words in docs_of(CopyState).items():
        yield f"| `{state}` | {words} |"


def _steps() -> Iterator[str]:
    yield from ("## What leads from one to another", "")
    yield "A step from a state that is not listed makes nothing of it: the fold leaves the row as it is."
    yield ""
    yield from ("| step | to | from | when |", "| --- | --- | --- | --- |")
    words = docs_of(CopyStep)
    for step, targets in COPY_STEPS.items():
        for after, sources in targets.items():
            before = (
                "any" if sources == set(CopyState) else ", ".join(f"`{one}`" for one in _ordered(sources))
            )
            yield f"| {step} | `{after}` | {before} | {words[step]} |"


def _diagram() -> Iterator[str]:
    """Without new bytes, which lead from everywhere, and without what only old logs tell."""
    yield from ("```mermaid", "stateDiagram-v2", "    [*] --> present", "    [*] --> staged")
    there = COPY_STEPS[CopyStep.SCHEDULED][CopyState.DELETION_SCHEDULED]
    for step, targets in COPY_STEPS.items():
        if step is CopyStep.ARRIVED:
            continue
        for after, sources in targets.items():
            told_by_old_logs = after in {CopyState.DELETED, CopyState.DELETION_FAILED}
            for before in _ordered(sources - (there if told_by_old_logs else frozenset())):
                if before is not after:
                    yield f"    {before} --> {after}: {step}"
    yield from ("    deleted --> present: arrived", "    deleted --> staged: arrived", "```")


def _reasons() -> Iterator[str]:
    yield from ("## Why a copy stays", "")
    yield "The code of a refusal, in the order in which is asked; the first that applies is told."
    yield ""
    yield from ("| code | meaning |", "| --- | --- |")
    for code, words in docs_of(Code).items():
        yield f"| `{code}` | {words} |"


def _ordered(states: frozenset[CopyState]) -> list[CopyState]:
    return [state for state in CopyState if state in states]


if __name__ == "__main__":
    TARGET.write_text(page())
