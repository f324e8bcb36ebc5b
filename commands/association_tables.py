"""The states of associations and their members, in docs/association-states.md: ``python -m commands.association_tables``."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from commands.state_tables import docs_of
from contracts.association_states import (
    ASSOCIATION_STEPS,
    MEMBER_STEPS,
    PRODUCT_STEPS,
    AssociationState,
    AssociationStep,
    MemberStatus,
    ProductStatus,
)

TARGET = Path(__file__).resolve().parent.parent / "docs" / "association-states.md"

HEAD = """# The states of associations

Written by `python -m commands.association_tables` from `contracts/association_states.py`; a test keeps it current. What
is not listed here is refused. [Associations](associations.md) says what it is about.
"""

S = TypeVar("S", bound=StrEnum)
Table = Mapping[AssociationStep, Mapping[S, frozenset[S]]]


def page() -> str:
    """The whole page."""
    parts = (
        _meanings("association", AssociationState),
        _steps(AssociationState, ASSOCIATION_STEPS),
        _diagram(),
        _meanings("exposure: member_status", MemberStatus),
        _steps(MemberStatus, MEMBER_STEPS),
        _meanings("product: product_status", ProductStatus),
        _steps(ProductStatus, PRODUCT_STEPS),
    )
    return "\n".join([HEAD, *(line for part in parts for line in (*part, ""))])


def _meanings(what: str, members: type[StrEnum]) -> Iterator[str]:
    yield from (f"## {what.capitalize()}", "", "| state | meaning |", "| --- | --- |")
    for state, words in docs_of(members).items():
        yield f"| `{state}` | {words} |"


def _steps(states: type[S], table: Table[S]) -> Iterator[str]:
    yield from ("| step | to | from | when |", "| --- | --- | --- | --- |")
    words = docs_of(AssociationStep)
    for step, targets in table.items():
        for after, sources in targets.items():
            before = ", ".join(f"`{state}`" for state in states if state in sources)
            yield f"| {step} | `{after}` | {before} | {words[step]} |"


def _diagram() -> Iterator[str]:
    yield from ("```mermaid", "stateDiagram-v2", "    [*] --> open: planned")
    for step, targets in ASSOCIATION_STEPS.items():
        for after, sources in targets.items():
            for before in (state for state in AssociationState if state in sources):
                yield f"    {before} --> {after}: {step}"
    yield "```"


if __name__ == "__main__":
    TARGET.write_text(page())
