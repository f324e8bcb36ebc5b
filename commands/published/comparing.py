"""How two schemas of one message differ, in words, and whether whoever knows the older one is understood."""

from collections.abc import Iterator, Mapping
from typing import Any

from commands.published.schemas import Schema, meaning


def differences(old: Schema, new: Schema) -> list[str]:
    """What another schema allows or refuses, one line each; words for people count for nothing."""
    return list(_differences(meaning(old), meaning(new), "the message"))


def breaks(old: Schema, new: Schema) -> list[str]:
    """What is wrong for those who send messages by the older schema; nothing if they are understood.

    Fields may be added that may be left out, and nothing else may change.
    """
    before, after = meaning(old), meaning(new)
    return list(_breaks(before, after, "the message"))


def _differences(old: Any, new: Any, where: str) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            if key not in new:
                yield f"{where}: {key} is gone"
            elif key not in old:
                yield f"{where}: {key} is new"
            else:
                yield from _differences(old[key], new[key], f"{where}.{key}")
    elif old != new:
        yield f"{where}: was {old!r}, is {new!r}"


def _breaks(old: Any, new: Any, where: str) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        if old != new:
            yield f"{where}: was {old!r}, is {new!r}"
        return
    for key in sorted({*old, *new}):
        path = f"{where}.{key}"
        if key == "properties":
            yield from _fields(old.get(key, {}), new.get(key, {}), path)
        elif key == "$defs":
            shared = set(old.get(key, {})) & set(new.get(key, {}))
            for name in sorted(shared):
                yield from _breaks(old[key][name], new[key][name], f"{path}.{name}")
        else:
            yield from _differences(_only(old, key), _only(new, key), where)


def _only(schema: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return {key: schema[key]} if key in schema else {}


def _fields(old: Mapping[str, Any], new: Mapping[str, Any], where: str) -> Iterator[str]:
    for name, schema in old.items():
        if name not in new:
            yield f"{where}: {name} is gone"
        else:
            yield from _breaks(schema, new[name], f"{where}.{name}")
