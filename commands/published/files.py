"""The published files, as they are and as they should be, and what may become of them. Writes only in `write`."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from commands.published.asyncapi import documents
from commands.published.comparing import breaks, differences
from commands.published.schemas import digest, is_event, schemas

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "contracts" / "schemas"
ASYNCAPI = ROOT / "docs" / "asyncapi"
PUBLISHED = "published.json"

ANOTHER_VERSION = (
    "A published version never changes: put the model back, and make the change a new version with an upcaster and "
    "a golden file (contracts/registry.py)."
)
OLD_CLIENTS = "Requests of clients that are out there must stay right: add only fields that may be left out."


@dataclass(frozen=True)
class Plan:
    """What is to be written.

    Attributes:
        texts: The text of each file that is not as it should be; None for one that should not be there.
        refused: What may not be, a paragraph each; nothing is written then.
    """

    texts: dict[Path, str | None] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


def plan(folder: Path = SCHEMAS, asyncapi: Path = ASYNCAPI) -> Plan:
    """Compare what stands in the folders with the models and services of this code."""
    made = Plan()
    digests = _digests(folder)
    for name, schema in schemas().items():
        path = folder / f"{name}.json"
        old = json.loads(path.read_text("utf-8")) if path.exists() else None
        if (why := _refusal(name, old, schema, digests.get(name))) is not None:
            made.refused.append(why)
        digests[name] = digest(schema)
        _want(made, path, json.dumps(schema, indent=2, ensure_ascii=False) + "\n")
    made.refused.extend(_lost(folder, digests))
    _want(made, folder / PUBLISHED, json.dumps(dict(sorted(digests.items())), indent=2) + "\n")
    wanted = {asyncapi / f"{name}.yaml": document for name, document in documents().items()}
    for path, document in wanted.items():
        _want(made, path, _yaml(document))
    made.texts.update(dict.fromkeys(sorted(set(asyncapi.glob("*.yaml")) - set(wanted))))
    return made


def write(made: Plan) -> None:
    """Do what was planned."""
    for path, text in made.texts.items():
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")


def _digests(folder: Path) -> dict[str, str]:
    path = folder / PUBLISHED
    found: dict[str, str] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def _refusal(name: str, old: dict[str, Any] | None, new: dict[str, Any], published: str | None) -> str | None:
    """Why this schema may not take the place of what was published; None if it may."""
    if published is None or published == digest(new):
        return None
    if old is None or digest(old) != published:
        return f"{name}: its file is not what was published, nor is the model. {ANOTHER_VERSION}"
    if is_event(name):
        return f"{name}: {'; '.join(differences(old, new))}. {ANOTHER_VERSION}"
    broken = breaks(old, new)
    return f"{name}: {'; '.join(broken)}. {OLD_CLIENTS}" if broken else None


def _lost(folder: Path, digests: dict[str, str]) -> list[str]:
    """Versions that no model makes any more: their files stay as they were."""
    lost = []
    for name in sorted(set(digests) - set(schemas())):
        path = folder / f"{name}.json"
        if not path.exists():
            lost.append(f"{name}: was published, and its schema is gone. Put {path.name} back.")
        elif digest(json.loads(path.read_text("utf-8"))) != digests[name]:
            lost.append(f"{name}: was published, and its schema is another one now. Put {path.name} back.")
    return lost


def _want(made: Plan, path: Path, text: str) -> None:
    if not path.exists() or path.read_text("utf-8") != text:
        made.texts[path] = text


class _Dumper(yaml.SafeDumper):
    """Texts of several lines are written as they are."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _yaml(document: dict[str, Any]) -> str:
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return "# Written by `python -m commands.published`; a test keeps it current.\n" + text
