"""Reading SDDL."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedEOF, UnexpectedInput, VisitError

from libs.errors import UserError
from libs.sddl.relations import Field, Index, Relation
from libs.sddl.unfolding import unfolded

Clause = tuple[str, Any]
"""What a statement says, and its value."""


@cache
def _parser() -> Lark:
    grammar = Path(__file__).with_name("sddl.lark").read_text()
    return Lark(grammar, parser="lalr", propagate_positions=False)


def parse(text: str) -> tuple[Relation, ...]:
    """The relations of a description, whether its lines end as they should or were joined into one.

    Raises:
        UserError: ``sddl_malformed``: where, and what was expected there; or ``record_unknown``, ``name_repeated``,
            ``field_incomplete``, ``index_of_unknown_field``.
    """
    lined = unfolded(text)
    try:
        relations: tuple[Relation, ...] = _Reader().transform(_parser().parse(lined))
    except UnexpectedInput as error:
        raise _malformed(error, lined) from error
    except VisitError as error:
        if isinstance(error.orig_exc, UserError):
            raise error.orig_exc from None
        raise
    return relations


def _malformed(error: UnexpectedInput, text: str) -> UserError:
    expected = sorted(getattr(error, "accepts", None) or getattr(error, "expected", None) or ())
    words = f"; expected {', '.join(expected)}" if expected else ""
    if isinstance(error, UnexpectedEOF) or error.line < 1:
        where = "at its end"
    else:
        where = (
            f"at line {error.line}, column {error.column}: {error.get_context(text, 20).splitlines()[0]!r}"
        )
    return UserError(
        "sddl_malformed",
        f"the description cannot be read {where}{words}",
        "Mend it there: RECORD … FIELD … END_FIELD … END_RECORD, then RELATION … INDEX … END_INDEX … END_RELATION.",
    )


class _Reader(Transformer[Token, Any]):
    """From a parse tree to relations."""

    def TEXT(self, token: Token) -> str:  # noqa: N802 - the terminal's name
        return " ".join(token[1:-1].split())

    def NAME(self, token: Token) -> str:  # noqa: N802 - the terminal's name
        return str(token)

    def type(self, children: list[str]) -> Clause:
        return "type", children[0]

    def units(self, children: list[str]) -> Clause:
        return "units", children[0]

    def description(self, children: list[str]) -> Clause:
        return "description", children[0]

    def using(self, children: list[str]) -> Clause:
        return "used_by", tuple(children)

    def kinds(self, children: list[str]) -> frozenset[str]:
        return frozenset(kind.lower() for kind in children)

    def names(self, children: list[str]) -> tuple[str, ...]:
        return tuple(children)

    def field(self, children: list[Any]) -> Field:
        name, *clauses = children
        said = _once(f"field {name}", clauses)
        if "type" not in said:
            raise _problem("field_incomplete", f"field {name} has no TYPE", "Write its type: TYPE C9.")
        return Field(name, said["type"], said.get("units"), said.get("description"))

    def index(self, children: list[Any]) -> Index:
        name, kinds, fields = children
        return Index(name, kinds, fields)

    def record(self, children: list[Any]) -> tuple[str, tuple[Field, ...]]:
        name, *rest = children
        return name, tuple(one for one in rest if isinstance(one, Field))

    def relation(self, children: list[Any]) -> tuple[str, list[Index], dict[str, Any]]:
        name, *rest = children
        clauses = [one for one in rest if not isinstance(one, Index)]
        said = _once(f"relation {name}", clauses)
        return name, [one for one in rest if isinstance(one, Index)], said

    def start(self, children: list[Any]) -> tuple[Relation, ...]:
        records = {one[0]: one[1] for one in children if isinstance(one, tuple) and len(one) == 2}  # noqa: PLR2004
        return tuple(_relation(one, records) for one in children if isinstance(one, tuple) and len(one) > 2)  # noqa: PLR2004


def _relation(
    parsed: tuple[str, list[Index], dict[str, Any]], records: dict[str, tuple[Field, ...]]
) -> Relation:
    name, indexes, said = parsed
    record = said.get("type")
    if record not in records:
        raise _problem(
            "record_unknown",
            f"relation {name} is of record {record}, which is not described",
            f"Describe it, or write one of {', '.join(records) or 'none'} as its TYPE.",
        )
    fields = [field.name for field in records[record]]
    _all_different(f"record {record}", fields)
    _all_different(f"relation {name}", [index.name for index in indexes])
    for index in indexes:
        for field in index.fields:
            if field not in fields:
                raise _problem(
                    "index_of_unknown_field",
                    f"index {index.name} is of {field}, which is no field of {record}",
                    "Name fields of the relation's record.",
                )
    return Relation(
        name,
        record,
        records[record],
        tuple(indexes),
        said.get("used_by", ()),
        said.get("description"),
    )


def _once(what: str, clauses: Iterable[Clause]) -> dict[str, Any]:
    said = list(clauses)
    _all_different(what, [name for name, _ in said])
    return dict(said)


def _all_different(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _problem("name_repeated", f"{what} says {', '.join(twice)} more than once", "Say it once.")


def _problem(code: str, reason: str, remedy: str) -> UserError:
    return UserError(code, reason, remedy)
