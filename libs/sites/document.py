"""A YAML file as plain values, and the line and column of each of them.

The node tree is composed and looked through first, since the values alone no longer say that a key stood
there twice, on which line, or that ``no`` was meant as a word.

Trap: constructing flattens ``<<`` merges in the node tree itself, so duplicates are looked for before it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import yaml
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.reader import ReaderError

from libs.sites.findings import Issue, KeyPath, Part, error

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_TEXT = f"{_TAG}str"
_SCALARS = ("null", "bool", "int", "float", "str")


class Malformed(ValueError):
    """The text is no YAML that we read.

    Attributes:
        line: Counts from 1.
        column: Counts from 1.
    """

    def __init__(self, reason: str, line: int, column: int) -> None:
        super().__init__(reason)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Document:
    """A file's values and where they stand.

    Attributes:
        data: Plain Python values; None when `issues` forbid to build them.
        issues: Keys that stand twice, keys that are no text, values that contain themselves.
    """

    root: yaml.Node
    data: object
    issues: tuple[Issue, ...]

    def position(self, path: KeyPath, part: Part = Part.VALUE) -> tuple[int, int]:
        """The line and column (from 1) of a key or value, or of the nearest thing above it that exists."""
        node, mark = self.root, self.root.start_mark
        for step in path:
            found = _child(node, step)
            if found is None:
                return mark.line + 1, mark.column + 1
            key, node = found
            mark = key.start_mark
        if part is Part.VALUE and isinstance(node, yaml.ScalarNode):
            mark = node.start_mark
        return mark.line + 1, mark.column + 1


def parse(text: str) -> Document:
    """Read one YAML document.

    Raises:
        Malformed: It is no YAML, there is more than one document, or a value is of no known kind.
    """
    try:
        return _parse(text)
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        raise Malformed(
            _sentence(wrong), mark.line + 1 if mark else 1, mark.column + 1 if mark else 1
        ) from wrong
    except ReaderError as wrong:
        before = text[: wrong.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise Malformed(f"the character {wrong.character!r} is not allowed", line, column) from wrong
    except RecursionError as wrong:
        raise Malformed("the values are nested too deeply", 1, 1) from wrong


def _parse(text: str) -> Document:
    loader = _Loader(text)
    root = loader.get_single_node()
    if root is None:
        raise Malformed("the file is empty", 1, 1)
    issues = tuple(_look_through(root, (), _Seen()))
    if issues and any(issue.problem.code != "key_twice" for issue in issues):
        return Document(root, None, issues)
    return Document(root, loader.construct_document(root), issues)


def _sentence(wrong: yaml.MarkedYAMLError) -> str:
    return ", ".join(part for part in (wrong.context, wrong.problem) if part) or "this is no YAML"


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The key node and the value node of `step`; the last one wins, as in the values."""
    if isinstance(node, yaml.MappingNode):
        matches = [(key, value) for key, value in node.value if key.value == step]
        return matches[-1] if matches else None
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


class _Seen:
    """The nodes that are being looked through, and those that were: an alias is looked through once."""

    def __init__(self) -> None:
        self.open: set[int] = set()
        self.done: set[int] = set()


def _look_through(node: yaml.Node, path: KeyPath, seen: _Seen) -> Iterator[Issue]:
    if id(node) in seen.open:
        yield error(path, "alias_endless", "this alias contains itself", "Write the values out.")
    if id(node) in seen.open or id(node) in seen.done:
        return
    seen.open.add(id(node))
    if isinstance(node, yaml.MappingNode):
        yield from _look_through_mapping(node, path, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _look_through(item, (*path, index), seen)
    seen.open.discard(id(node))
    seen.done.add(id(node))


def _look_through_mapping(node: yaml.MappingNode, path: KeyPath, seen: _Seen) -> Iterator[Issue]:
    first: dict[str, int] = {}
    for key, value in node.value:
        here = (*path, str(key.value) if isinstance(key, yaml.ScalarNode) else "?")
        if key.tag not in (_TEXT, _MERGE):
            yield error(
                here, "key_not_text", f"the key {here[-1]!r} is no text", "Put quotes around it.", Part.KEY
            )
        elif key.tag == _TEXT and key.value in first:
            reason = f"{key.value!r} stands here twice, first on line {first[key.value]}"
            yield error(here, "key_twice", reason, "Keep one of the two.", Part.KEY)
        first.setdefault(str(key.value), key.start_mark.line + 1)
        yield from _look_through(value, here, seen)


def _guarded(build: Callable[[Any, Any], object]) -> Callable[[Any, yaml.Node], object]:
    def construct(loader: object, node: yaml.Node) -> object:
        try:
            return build(loader, node)
        except (ValueError, LookupError) as wrong:
            reason = f"{node.value!r} is no {node.tag.removeprefix(_TAG)}"
            raise ConstructorError(None, None, reason, node.start_mark) from wrong

    return construct


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader for what a deployment consists of: no dates, sets, binaries or objects."""

    yaml_constructors: ClassVar[dict[Any, Any]] = {
        **{
            f"{_TAG}{kind}": _guarded(SafeConstructor.yaml_constructors[f"{_TAG}{kind}"]) for kind in _SCALARS
        },
        **{f"{_TAG}{kind}": SafeConstructor.yaml_constructors[f"{_TAG}{kind}"] for kind in ("seq", "map")},
        None: SafeConstructor.yaml_constructors[None],
    }


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag != f"{_TAG}timestamp"]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
