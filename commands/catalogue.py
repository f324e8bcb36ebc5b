"""The event catalogue in docs/events.md, written from the contracts: ``python -m commands.catalogue``."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from commands.services import load_all
from contracts.base import Event, Parted
from contracts.registry import EVENTS
from libs.bus.subscription import Hears

TARGET = Path(__file__).resolve().parent.parent / "docs" / "events.md"

HEAD = """# Events

Written by `python -m commands.catalogue` from `contracts/`; a test keeps it current.

Subject: `chasqui.<site>.<entity>.<fact>.v<n>`. Headers: CloudEvents 1.0 (`ce-id`, `ce-type`, `ce-source`,
`ce-subject`, `ce-time`, `ce-causationid`), `traceparent`, `Nats-Msg-Id` (equal to `ce-id`). Body: the JSON below.
Examples of every version stand in [tests/golden](../tests/golden).
"""


def catalogue() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(line for event in EVENTS for line in _section(event))])


def _section(event: type[Event]) -> Iterator[str]:
    yield f"## {event.__name__}"
    yield ""
    yield inspect.cleandoc(event.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    yield ""
    yield f"- subject `{event.subject('<site>')}`"
    if issubclass(event, Parted):
        yield "- travels in parts (`part` of `parts`)"
    if heard := _heard_by(event):
        yield f"- heard by {', '.join(heard)}, and the projector"
    else:
        yield "- heard by the projector"
    yield ""
    yield "| field | type |"
    yield "| --- | --- |"
    for name, schema in event.model_json_schema()["properties"].items():
        yield f"| `{name}` | {_type_of(schema)} |"
    yield ""


def _heard_by(event: type[Event]) -> list[str]:
    whose = {Hears.OWN_SITE: "", Hears.OTHER_SITES: " (of other sites)", Hears.EVERY_SITE: " (of every site)"}
    return [
        f"{service.name}.{subscription.handler}{whose[subscription.hears]}"
        for service in load_all()
        for subscription in service.subscriptions
        if event in subscription.events
    ]


def _type_of(schema: dict[str, Any]) -> str:
    """A field's type in JSON Schema's words, for people."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_type_of(each) for each in schema["anyOf"])
    match schema.get("type"):
        case "array":
            return f"list of {_type_of(schema.get('items', {}))}"
        case "string":
            return str(schema.get("format", "string"))
        case None:
            return "any JSON"
        case other:
            return str(other)


if __name__ == "__main__":
    TARGET.write_text(catalogue())
