"""An AsyncAPI 3.0 document for each service: what it hears, says and answers, on which subjects.

Payloads are references to the schemas in contracts/schemas. What AsyncAPI has no words for (a durable consumer, its
limits) stands in fields that begin with ``x-``, as its specification allows.
"""

import inspect
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from typing import Any

from commands.published.schemas import event_name
from commands.services import load_all
from contracts.base import Event, Message, Parted
from contracts.letters import LetterBuried, LetterSettled
from contracts.registry import EVENTS, REQUESTS
from contracts.subjects import durable, events_stream, filing_request
from libs.bus.subscription import Hears, Subscription
from libs.service.service import Service

Document = dict[str, Any]

VERSION = "3.0.0"
SITE = "{site}"
SCHEMAS = "../../contracts/schemas"
WHOSE = {
    Hears.OWN_SITE: "of its own site",
    Hears.OTHER_SITES: "of every other site, from the mirrors of their streams",
    Hears.EVERY_SITE: "of every site",
}
_FILING = {
    verb: f"filing.{verb}" for verb in ("start", "files", "finish", "task", "task_step", "asset", "camera")
}
_ANSWERS = ("filing.accepted", "filing.entity_accepted", "filing.refused")

_HEADERS: Document = {
    "type": "object",
    "description": "CloudEvents 1.0 attributes (binary mode), W3C trace context, JetStream's message id.",
    "required": ["ce-specversion", "ce-id", "ce-type", "ce-source", "ce-subject", "ce-time", "Nats-Msg-Id"],
    "properties": {
        "ce-specversion": {"const": "1.0"},
        "ce-id": {"type": "string", "format": "uuid", "description": "Equal for equal causes."},
        "ce-type": {"type": "string", "description": "chasqui.<entity>.<fact>.v<n>"},
        "ce-source": {"type": "string", "description": "/chasqui/<site>/<service>"},
        "ce-subject": {"type": "string", "description": "The id of what it is about."},
        "ce-time": {"type": "string", "format": "date-time"},
        "ce-causationid": {"type": "string", "description": "Of the event or request that led to it."},
        "traceparent": {"type": "string"},
        "Nats-Msg-Id": {"type": "string", "format": "uuid", "description": "Equal to ce-id."},
        "content-type": {"const": "application/json"},
    },
}


@cache
def documents() -> dict[str, Document]:
    """The document of each service by its name."""
    return {service.name: document(service) for service in load_all()}


def document(service: Service) -> Document:
    """What one service hears, says and answers."""
    heard = _heard(service)
    said = [*service.says, *((LetterBuried, LetterSettled) if service.subscriptions else ())]
    spoken = sorted({*heard, *said}, key=lambda event: event.type_name())
    channels = {event_name(event): _channel(event) for event in spoken}
    operations = {f"say.{event_name(event)}": _says(event) for event in said}
    for subscription in service.subscriptions:
        operations |= {
            _hearing(subscription, event): _hears(subscription, event) for event in subscription.events
        }
    if service.name == "projector":
        operations |= {
            f"hear.{event_name(event)}": _operation("receive", event, _summary(event)) for event in EVENTS
        }
    if service.name == "filing":
        channels |= dict(_filing_channels())
        operations |= {f"answer.{verb}": _answers(verb) for verb in _FILING}
    return {
        "asyncapi": VERSION,
        "info": {
            "title": f"Chasqui: {service.name}",
            "version": "1.0.0",
            "description": inspect.cleandoc(import_module(f"services.{service.name}").__doc__ or ""),
        },
        "defaultContentType": "application/json",
        "servers": {
            "site": {
                "host": "{host}",
                "pathname": "/",
                "protocol": "nats",
                "description": "The site's NATS server with JetStream; other sites' streams are mirrored there.",
                "variables": {"host": {"description": "sites.<site>.nats.url of the deployment file"}},
            }
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": _messages(spoken, service), "schemas": {"CloudEventHeaders": _HEADERS}},
    }


def _heard(service: Service) -> tuple[type[Event], ...]:
    if service.name == "projector":
        return EVENTS
    return tuple(event for one in service.subscriptions for event in one.events)


def _channel(event: type[Event]) -> Document:
    return {
        "address": event.subject(SITE),
        "parameters": {"site": {"description": "Where it happened."}},
        "messages": {event.__name__: {"$ref": f"#/components/messages/{event.__name__}"}},
        "x-stream": events_stream(SITE),
    }


def _says(event: type[Event]) -> Document:
    return _operation("send", event, _summary(event))


def _hearing(subscription: Subscription, event: type[Event]) -> str:
    return f"hear.{subscription.handler}.{event_name(event)}"


def _hears(subscription: Subscription, event: type[Event]) -> Document:
    told = _operation("receive", event, f"Handles those {WHOSE[subscription.hears]}.")
    return told | {
        "x-consumer": {
            "durable": durable(SITE, subscription.service, subscription.handler),
            "ack_policy": "explicit",
            "max_attempts": subscription.max_attempts,
            "silence_s": subscription.silence_s,
            "workers": subscription.workers,
        }
    }


def _operation(action: str, event: type[Event], summary: str) -> Document:
    return {"action": action, "channel": {"$ref": f"#/channels/{event_name(event)}"}, "summary": summary}


def _filing_channels() -> Iterator[tuple[str, Document]]:
    for verb, name in _FILING.items():
        yield (
            f"request.{verb}",
            {
                "address": filing_request(SITE, verb),
                "parameters": {"site": {"description": "The site of the instrument or node."}},
                "messages": {name: {"$ref": f"#/components/messages/{name}"}},
            },
        )
    answers = {name: {"$ref": f"#/components/messages/{name}"} for name in _ANSWERS}
    yield "answer", {"address": None, "messages": answers, "description": "The request's reply subject."}


def _answers(verb: str) -> Document:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/request.{verb}"},
        "summary": _summary(REQUESTS[_FILING[verb]]),
        "reply": {"channel": {"$ref": "#/channels/answer"}},
        "x-queue": "filing",
    }


def _messages(events: Iterable[type[Event]], service: Service) -> Document:
    told = {event.__name__: _event_message(event) for event in events}
    if service.name == "filing":
        told |= {name: _plain_message(name) for name in (*_FILING.values(), *_ANSWERS)}
    return told


def _event_message(event: type[Event]) -> Document:
    parts = " Travels in parts." if issubclass(event, Parted) else ""
    return {
        "name": event.type_name(),
        "summary": _summary(event) + parts,
        "headers": {"$ref": "#/components/schemas/CloudEventHeaders"},
        "payload": {"$ref": f"{SCHEMAS}/{event_name(event)}.json"},
    }


def _plain_message(name: str) -> Document:
    return {
        "name": name,
        "summary": _summary(REQUESTS[name]),
        "payload": {"$ref": f"{SCHEMAS}/{name}.json"},
    }


def _summary(model: type[Message]) -> str:
    return inspect.cleandoc(model.__doc__ or "").split("\n\n", 1)[0].replace("\n", " ")
