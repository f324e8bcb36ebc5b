"""What every message has in common.

An event is a frozen model in the past tense. Its class names the entity and the fact; its `identity` names
what it derives from, so that the same cause gives the same id, wherever and however often it is computed.
"""

import json
from datetime import UTC, datetime
from typing import Annotated, ClassVar
from uuid import UUID, uuid5

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

NAMESPACE = UUID("6c1c4f6e-2f0b-5d6a-9a53-8e1f0f0c5a17")
"""The UUIDv5 namespace of every id that Chasqui derives."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""A site, location, instrument, module or route: lower case, digits and hyphens (safe in a NATS subject)."""

RelativePath = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
"""A POSIX path below a location's root. Checked against the root where it is used, never trusted."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

ByteCount = Annotated[int, Field(ge=0)]

Utc = Annotated[AwareDatetime, AfterValidator(lambda when: when.astimezone(UTC))]
"""An instant. Naive times are refused; others are converted to UTC."""


def derived_id(kind: str, *parts: object) -> UUID:
    """The UUIDv5 of what a thing derives from.

    Args:
        kind: What sort of thing it is; the same parts under another kind give another id.
        parts: Strings, numbers, UUIDs or instants, in a fixed order.
    """
    return uuid5(NAMESPACE, json.dumps([kind, *map(_canonical, parts)], ensure_ascii=False))


def _canonical(part: object) -> str | int | None:
    match part:
        case None | str() | int():
            return part
        case datetime():
            return part.astimezone(UTC).isoformat()
        case _:
            return str(part)


class Message(BaseModel):
    """A frozen model that refuses unknown fields: a new field is a new version."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_timedelta="float")


class Event(Message):
    """Something that happened, at one site, once.

    Class attributes:
        entity: The noun in the subject (``package``).
        fact: The past participle in the subject (``sealed``).
        version: The published version of this model; equals the field `schema_version`.
    """

    entity: ClassVar[str]
    fact: ClassVar[str]
    version: ClassVar[int] = 1

    schema_version: int = 1

    def identity(self) -> tuple[object, ...]:
        """What this event derives from: equal identities are the same event."""
        raise NotImplementedError

    def about(self) -> UUID | str:
        """The id of the entity it is about (the CloudEvents ``subject`` attribute)."""
        raise NotImplementedError

    @classmethod
    def type_name(cls) -> str:
        """The CloudEvents ``type``: ``chasqui.<entity>.<fact>.v<n>``."""
        return f"chasqui.{cls.entity}.{cls.fact}.v{cls.version}"

    @classmethod
    def subject(cls, site: str) -> str:
        """The NATS subject of this event at a site."""
        return f"chasqui.{site}.{cls.entity}.{cls.fact}.v{cls.version}"

    def event_id(self, site: str) -> UUID:
        """The deterministic id of this event when it happens at `site`."""
        return derived_id(self.type_name(), site, *self.identity())


class Parted(Event):
    """One part of a list that is too long for one message; parts count from 1."""

    part: int = Field(default=1, ge=1)
    parts: int = Field(default=1, ge=1)
