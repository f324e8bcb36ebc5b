"""JSON Schema (draft 2020-12) of every message, from its model."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import TimedeltaSchema

from contracts.base import Event, Message
from contracts.registry import EVENTS, REQUESTS

Schema = Mapping[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
WORDS = ("title", "description", "$id", "$schema", "examples")
"""What is said for people: it may be said better at any time."""


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """The schema of each message by the name of its file without ``.json``, current versions of events only."""
    events = {event_name(event): _schema(event, event_name(event)) for event in EVENTS}
    return events | {name: _schema(model, name) for name, model in REQUESTS.items()}


def event_name(event: type[Event]) -> str:
    """``package.sealed.v1``: an event's type without what all have in common."""
    return event.type_name().removeprefix("chasqui.")


def is_event(name: str) -> bool:
    """Whether a name is that of a version of an event; else it is a request's or an answer's."""
    return name not in REQUESTS


class _OnTheWire(GenerateJsonSchema):
    """Durations are sent as numbers of seconds, and read in any form that pydantic knows."""

    def timedelta_schema(self, schema: TimedeltaSchema) -> JsonSchemaValue:
        """As they are sent."""
        del schema
        return {"type": "number", "description": "Seconds."}


def _schema(model: type[Message], name: str) -> dict[str, Any]:
    schema = model.model_json_schema(schema_generator=_OnTheWire)
    if issubclass(model, Event):
        # A body without its version is read as that version; one with another version is another event.
        schema["properties"]["schema_version"] |= {"const": model.version, "default": model.version}
    return {"$schema": DIALECT, "$id": f"urn:chasqui:{name}", **schema}


def meaning(schema: Schema) -> Any:  # noqa: ANN401 - any JSON
    """What a schema allows, without what it says to people."""
    return _meaning(schema, names=False)


def _meaning(value: Any, *, names: bool) -> Any:  # noqa: ANN401 - any JSON
    """`names`: the keys of this object are names of fields or types, not words of JSON Schema."""
    match value:
        case dict():
            return {
                key: _meaning(each, names=not names and key in {"properties", "$defs", "patternProperties"})
                for key, each in value.items()
                if names or key not in WORDS
            }
        case list() | tuple():
            return [_meaning(each, names=False) for each in value]
        case _:
            return value


def digest(schema: Schema) -> str:
    """The SHA-256 of what a schema allows."""
    text = json.dumps(meaning(schema), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
